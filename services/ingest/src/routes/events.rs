//! `POST /api/v1/events`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use millrace_cache::duplicates::Fingerprint;
use millrace_domain::batch::{EventBatch, MAX_REQUEST_BYTES};
use millrace_domain::draft::to_micros;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_http::authorized::{Authorized, Ingest};
use millrace_http::body;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_http::query::Query;
use millrace_http::request_id::RequestId;
use millrace_messaging::publisher;
use millrace_messaging::trace::Origin;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::IngestError;
use crate::event_limit;
use crate::parse::{Parsed, parse};
use crate::settle::settle;
use crate::split::Form;
use crate::state::State;
use crate::verdicts::Verdicts;

/// Bodies beyond this are parsed off the server's threads: ten thousand events take several milliseconds.
const PARSE_INLINE_BYTES: usize = 64 * 1024;

/// How to treat the request.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Refuse all events if any breaks a law.
    #[serde(default)]
    strict: bool,
    /// `stored`: answer 200 once the events can be queried, 202 if that takes too long.
    #[param(inline)]
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Wait {
    Stored,
}

/// Send events
///
/// One event, an array, `{"events": […]}` or NDJSON, at most 10,000 events and 10 MiB once inflated. 202 says that
/// every accepted event is on disk in the log.
#[utoipa::path(
    tag = "events",
    params(Options),
    request_body(
        content((serde_json::Value = "application/json"), (String = "application/x-ndjson")),
        description = "Events. `Content-Encoding`: gzip, zstd, br or deflate.",
    ),
    responses(
        (status = 200, description = "Stored: the events can be queried (`wait=stored`)", body = Verdicts),
        (status = 202, description = "Accepted: the events are durable", body = Verdicts),
        (status = 400, description = "The body cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No key, or not a live one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `ingest`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or events", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "A media type or encoding that is not spoken here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Every event was refused, or one was and the request is strict", body = Verdicts),
        (status = 429, description = "More events than the project may send; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not durable; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("ingest_key" = []), ("ingest_key_header" = [])),
)]
#[post("/api/v1/events")]
pub(super) async fn send(
    caller: Authorized<Ingest>,
    request: HttpRequest,
    options: Query<Options>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let started = std::time::Instant::now();
    let Query(options) = options;
    let form = Form::announced(request.headers()).map_err(IngestError::from)?;
    let _share = state.budget.share(request.headers())?;
    let body = body::read(request.headers(), payload, MAX_REQUEST_BYTES).await?;
    let now = to_micros(Utc::now());
    let parsed = if body.len() <= PARSE_INLINE_BYTES {
        parse(&body, form, now)
    } else {
        web::block(move || parse(&body, form, now)).await.map_err(|_stopping| IngestError::Cancelled)?
    }
    .map_err(IngestError::from)?;

    let quota = event_limit::check(&state, caller.project_id, parsed.sent).await?;
    let mut answer = admit(&state, caller.project_id, parsed, &options, now).await?;
    for (name, value) in quota.into_iter().flatten() {
        answer.headers_mut().insert(name, value);
    }
    metrics::histogram!("ingestion_duration_seconds").record(started.elapsed());
    Ok(answer)
}

async fn admit(
    state: &State,
    project_id: ProjectId,
    parsed: Parsed,
    options: &Options,
    now: chrono::DateTime<Utc>,
) -> Result<HttpResponse, IngestError> {
    let Parsed { sent, drafts, repeated, rejected } = parsed;
    let refused = !rejected.is_empty() && (options.strict || drafts.is_empty() && repeated == 0);
    let request_id = RequestId::current().map(|id| id.to_string()).unwrap_or_default();
    state.count_received(&drafts, &rejected);
    let mut verdicts = Verdicts {
        accepted: 0,
        duplicates: count(repeated),
        rejected: count(rejected.len()),
        request_id,
        event_ids: drafts.iter().filter(|draft| draft.id_was_made).map(|draft| draft.event_id).collect(),
        errors: rejected.into_iter().map(Into::into).collect(),
    };
    if refused {
        verdicts.event_ids.clear();
        (verdicts.duplicates, verdicts.rejected) = (0, count(sent));
        return Ok(HttpResponse::UnprocessableEntity().json(verdicts));
    }

    let events = settle(&state.memory, project_id, drafts, now).await;
    let batch = |events| EventBatch { project_id, received_at: now, events };
    if options.wait == Some(Wait::Stored) {
        // The memory is not asked: it knows what was accepted, and the question is what is stored.
        let fingerprints = fingerprints(&events);
        verdicts.accepted = count(events.len());
        // Those that the database recognises are counted by the worker.
        metrics::counter!("events_duplicate_total").increment(verdicts.duplicates);
        let replies =
            publisher::publish_watched(&state.broker, &batch(events), Origin::of(&verdicts.request_id))
                .await?;
        remember(state, project_id, &fingerprints, now).await;
        let Some(stored) = replies.wait(state.stored_timeout).await else {
            return Ok(HttpResponse::Accepted().json(verdicts));
        };
        verdicts.accepted = stored.stored;
        verdicts.duplicates += stored.duplicates;
        verdicts.rejected += stored.dead;
        return Ok(HttpResponse::Ok().json(verdicts));
    }

    let fresh = unseen(state, project_id, events, now).await;
    verdicts.accepted = count(fresh.len());
    verdicts.duplicates = count(sent) - verdicts.accepted - verdicts.rejected;
    metrics::counter!("events_duplicate_total").increment(verdicts.duplicates);
    if !fresh.is_empty() {
        let fingerprints = fingerprints(&fresh);
        state.publisher.publish(batch(fresh), Origin::of(&verdicts.request_id)).await?;
        remember(state, project_id, &fingerprints, now).await;
    }
    Ok(HttpResponse::Accepted().json(verdicts))
}

/// The events that were not accepted a short while ago; all of them when the memory is away, since the database
/// recognises repetitions too.
async fn unseen(
    state: &State,
    project: ProjectId,
    events: Vec<Event>,
    now: chrono::DateTime<Utc>,
) -> Vec<Event> {
    match state.memory.seen(project, &fingerprints(&events), now).await {
        Ok(seen) => events.into_iter().zip(seen).filter(|(_, seen)| !seen).map(|(event, _)| event).collect(),
        Err(_counted_and_logged) => events,
    }
}

async fn remember(state: &State, project: ProjectId, accepted: &[Fingerprint], now: chrono::DateTime<Utc>) {
    // A failure was counted and logged where it happened, and costs only the verdict on a repetition.
    let _ = state.memory.remember(project, accepted, now).await;
}

fn fingerprints(events: &[Event]) -> Vec<Fingerprint> {
    events.iter().map(|event| Fingerprint::of(event.event_id, event.occurred_at)).collect()
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
