//! A dead letter as the API shows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use millrace_messaging::dead_letters::letter::Letter;
use millrace_messaging::wire::Unchecked;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use utoipa::ToSchema;
use uuid::Uuid;

/// A dead letter.
#[derive(Serialize, ToSchema)]
pub(super) struct LetterView {
    /// Its place among all dead letters.
    #[schema(example = 17)]
    id: u64,
    /// The project; `null` where the message named none.
    project_id: Option<Uuid>,
    /// Why it is dead: `unreadable`, `unknown_project`, `invalid`, `schema_violation`, `refused` or `exhausted`.
    #[schema(example = "refused")]
    reason: String,
    /// Why it is dead, in words.
    #[schema(example = "value too long for type character varying(100) (22001)")]
    detail: String,
    /// When it first failed, before any replay.
    first_failed_at: Option<DateTime<Utc>>,
    /// When it failed last.
    last_failed_at: Option<DateTime<Utc>>,
    /// How often the message it was in had been delivered to a worker.
    deliveries: Option<u64>,
    /// How often it has been replayed.
    replays: u64,
    /// The subject of that message.
    subject: Option<String>,
    /// The sequence of that message in its stream.
    stream_sequence: Option<u64>,
    /// The requests that may have brought it: one, where that is known.
    request_ids: Vec<String>,
    /// The API keys it may have been sent with: one, where that is known.
    key_ids: Vec<Uuid>,
    /// Its events; mostly one.
    events: Vec<EventView>,
    /// What is in it, in base 64, where there are no events to be read in it.
    payload: Option<String>,
}

/// An event as it was sent, whether or not it keeps the rules.
#[derive(Serialize, ToSchema)]
struct EventView {
    /// Its id, if it is one.
    event_id: Option<Uuid>,
    /// What happened.
    event_type: String,
    /// Whom it happened to.
    user_id: String,
    /// When, if it is a time.
    occurred_at: Option<DateTime<Utc>>,
    /// The session.
    session_id: Option<String>,
    /// The properties; as a string, if they are not JSON.
    #[schema(value_type = serde_json::Value)]
    properties: Option<Box<RawValue>>,
    /// The context; as a string, if it is not JSON.
    #[schema(value_type = Option<serde_json::Value>)]
    context: Option<Box<RawValue>>,
}

impl LetterView {
    pub(super) fn of(letter: &Letter) -> Self {
        let events: Vec<EventView> = letter.events.iter().map(EventView::of).collect();
        Self {
            id: letter.id,
            project_id: Some(letter.project.0).filter(|id| !id.is_nil()),
            reason: letter.reason.clone(),
            detail: letter.detail.clone(),
            first_failed_at: letter.first_failed_at,
            last_failed_at: letter.last_failed_at,
            deliveries: letter.deliveries,
            replays: letter.replays,
            subject: letter.subject.clone(),
            stream_sequence: letter.stream_sequence,
            request_ids: letter.request_ids.clone(),
            key_ids: letter.key_ids.iter().map(|id| id.0).collect(),
            payload: events.is_empty().then(|| STANDARD.encode(&letter.payload)),
            events,
        }
    }
}

impl EventView {
    fn of(event: &Unchecked) -> Self {
        let properties = if event.properties.is_empty() { "{}" } else { &event.properties };
        Self {
            event_id: event.event_id,
            event_type: event.event_type.clone(),
            user_id: event.user_id.clone(),
            occurred_at: event.occurred_at,
            session_id: event.session_id.clone(),
            properties: json(properties),
            context: event.context.as_deref().and_then(json),
        }
    }
}

fn json(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).or_else(|_not_json| to_raw_value(text)).ok()
}
