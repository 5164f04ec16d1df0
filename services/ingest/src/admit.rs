//! The one way into the log, whatever language the events came in: settle their times, set aside what was accepted
//! before, publish, remember.

use chrono::{DateTime, Utc};
use millrace_cache::duplicates::Fingerprint;
use millrace_domain::batch::EventBatch;
use millrace_messaging::publisher;
use millrace_messaging::trace::Origin;

use crate::errors::IngestError;
use crate::group::fingerprint;
use crate::parse::Parsed;
use crate::sender::Sender;
use crate::settle::settle;
use crate::state::State;
use crate::verdicts::Verdicts;

/// How to treat a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Admission {
    /// Refuse all events if any breaks a law.
    pub strict: bool,
    /// Wait for the worker's word.
    pub wait_until_stored: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No event was taken: all are at fault, or one is and the request is strict.
    Refused,
    /// The accepted events are on disk in the log.
    Durable,
    /// They can be queried.
    Stored,
}

/// Makes the sound events of a request durable and says what became of each.
///
/// # Errors
/// When the log does not acknowledge. Some of the events may be in it all the same; sent again, they are not doubled.
pub async fn admit(
    state: &State,
    sender: &Sender,
    parsed: Parsed,
    how: Admission,
    now: DateTime<Utc>,
) -> Result<(Outcome, Verdicts), IngestError> {
    let project_id = sender.project_id;
    let Parsed { sent, drafts, repeated, rejected } = parsed;
    let refused = !rejected.is_empty() && (how.strict || drafts.is_empty() && repeated == 0);
    state.count_received(&drafts, &rejected);
    let mut verdicts = Verdicts {
        accepted: 0,
        duplicates: count(repeated),
        rejected: count(rejected.len()),
        request_id: sender.source.request_id.clone(),
        event_ids: drafts.iter().filter(|draft| draft.id_was_made).map(|draft| draft.event_id).collect(),
        errors: rejected.into_iter().map(Into::into).collect(),
    };
    if refused {
        verdicts.event_ids.clear();
        (verdicts.duplicates, verdicts.rejected) = (0, count(sent));
        return Ok((Outcome::Refused, verdicts));
    }

    let events = settle(&state.memory, project_id, drafts, now).await;
    let batch = |events| EventBatch { project_id, received_at: now, events };
    if how.wait_until_stored {
        // The memory is not asked: it knows what was accepted, and the question is what is stored.
        let fingerprints: Vec<Fingerprint> = events.iter().map(fingerprint).collect();
        verdicts.accepted = count(events.len());
        // Those that the database recognises are counted by the worker.
        metrics::counter!("events_duplicate_total").increment(verdicts.duplicates);
        let batch = batch(events);
        let shown = state.tap.sample(&batch);
        let replies =
            publisher::publish_watched(&state.broker, &batch, Origin::from(sender.source.clone())).await?;
        shown.into_iter().for_each(|sample| state.tap.show(sample));
        // A failure was counted and logged where it happened, and costs only the verdict on a repetition.
        let _ = state.memory.remember(project_id, &fingerprints, now).await;
        let Some(stored) = replies.wait(state.stored_timeout).await else {
            return Ok((Outcome::Durable, verdicts));
        };
        verdicts.accepted = stored.stored;
        verdicts.duplicates += stored.duplicates;
        verdicts.rejected += stored.dead;
        return Ok((Outcome::Stored, verdicts));
    }

    if !events.is_empty() {
        let origin = Origin::from(sender.source.clone());
        verdicts.accepted = state.group.admit(batch(events), origin).await?;
    }
    verdicts.duplicates = count(sent) - verdicts.accepted - verdicts.rejected;
    metrics::counter!("events_duplicate_total").increment(verdicts.duplicates);
    Ok((Outcome::Durable, verdicts))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
