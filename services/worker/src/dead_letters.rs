//! Putting away what can never be stored.

use bytes::Bytes;
use millrace_domain::batch::EventBatch;
use millrace_messaging::broker::Broker;
use millrace_messaging::dead_letters::{DeadLetter, Lineage, bury};
use millrace_messaging::error::MessagingError;
use millrace_messaging::source::{Run, Source};
use millrace_messaging::wire::{self, Invalid};

/// A message that cannot be read.
pub const UNREADABLE: &str = "unreadable";
/// A message of a project that does not exist, or whose subject says another project than its content.
pub const UNKNOWN_PROJECT: &str = "unknown_project";
/// A message of a project whose time zone this version does not know, or whose users have no proper numbers.
pub const UNUSABLE_PROJECT: &str = "unusable_project";
/// An event that breaks a law of the domain.
pub const INVALID: &str = "invalid";
/// An event whose properties break the schema of its type.
pub const SCHEMA_VIOLATION: &str = "schema_violation";
/// An event that the database does not take.
pub const REFUSED: &str = "refused";
/// A message that was delivered again and again and never settled.
pub const EXHAUSTED: &str = "exhausted";

/// Puts one dead letter away, durably, and counts it.
///
/// # Errors
/// When the broker is away or full; the message must then stay in the log.
pub async fn put(broker: &Broker, from: Lineage<'_>, letter: DeadLetter) -> Result<(), MessagingError> {
    let DeadLetter { reason, ref detail, .. } = letter;
    tracing::warn!(reason, detail, stream_seq = from.sequence, "an event goes to the dead letters");
    bury(broker, from, letter).await?;
    metrics::counter!("dead_letters_total", "reason" => reason).increment(1);
    Ok(())
}

/// An event that breaks a law, as a dead letter.
#[must_use]
pub fn invalid(event: Invalid) -> DeadLetter {
    let Invalid { payload, fault, source } = event;
    DeadLetter { payload, reason: INVALID, detail: fault.to_string(), source }
}

/// An event of `batch`, encoded alone, with what may be kept of its source.
#[must_use]
pub fn alone(batch: &EventBatch, index: usize, source: Option<&Source>) -> Option<Bytes> {
    let event = batch.events.get(index)?.clone();
    let single =
        EventBatch { project_id: batch.project_id, received_at: batch.received_at, events: vec![event] };
    let kept = source.map(Source::without_address);
    let runs: Vec<Run<'_>> = kept.iter().map(|source| Run { events: 1, source }).collect();
    wire::encode(&single, &runs, usize::MAX).into_iter().next().map(|message| message.payload)
}
