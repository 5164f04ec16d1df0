//! A message as events that keep the laws, and those that break one.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::{EventId, ProjectId};
use millrace_domain::json::{JsonFault, JsonObject};
use millrace_domain::text::{EventType, SessionId, TextFault, UserId};
use prost::Message;
use uuid::Uuid;

use super::{named, v1};
use crate::source::Source;

/// A message that is not an [`EventBatch`] at all.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not the schema.
    #[error("not a millrace.events.v1.EventBatch: {0}")]
    Schema(#[from] prost::DecodeError),
    /// Not 16 bytes.
    #[error("project_id must have 16 bytes")]
    ProjectId,
    /// Outside the calendar.
    #[error("received_at_us is not a time")]
    ReceivedAt,
}

/// Why one event of a batch breaks a law.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// Not 16 bytes.
    #[error("event_id must have 16 bytes")]
    EventId,
    /// A text out of bounds.
    #[error("{0} {1}")]
    Text(&'static str, TextFault),
    /// Before 1970 or outside the calendar.
    #[error("occurred_at_us is not a time since 1970")]
    OccurredAt,
    /// JSON that cannot be stored.
    #[error("{0} {1}")]
    Json(&'static str, JsonFault),
}

/// A batch as it came, with the events that break a law set aside.
#[derive(Debug)]
pub struct Decoded {
    /// The sound events.
    pub batch: EventBatch,
    /// Who sent each of them, as far as it is known.
    pub sources: Vec<Option<Arc<Source>>>,
    /// The others.
    pub invalid: Vec<Invalid>,
}

/// An event that breaks a law.
#[derive(Debug)]
pub struct Invalid {
    /// The event, encoded alone.
    pub payload: Bytes,
    /// What is wrong with it.
    pub fault: EventFault,
    /// Who sent it, as far as it is known.
    pub source: Option<Arc<Source>>,
}

/// Decodes a message and holds every event to the laws of the domain: whoever may publish may also be wrong.
///
/// # Errors
/// When the message as a whole cannot be read.
pub fn decode(bytes: &[u8]) -> Result<Decoded, WireError> {
    let wire = v1::EventBatch::decode(bytes)?;
    let project_id = ProjectId(Uuid::from_slice(&wire.project_id).map_err(|_length| WireError::ProjectId)?);
    let received_at = DateTime::from_timestamp_micros(wire.received_at_us).ok_or(WireError::ReceivedAt)?;
    let mut events = Vec::with_capacity(wire.events.len());
    let mut sources = Vec::with_capacity(wire.events.len());
    let mut invalid = Vec::new();
    let mut senders = wire.sources.iter().flat_map(|named| {
        let source = Arc::new(named::from_wire(named));
        // A count says how often to repeat, and anybody may write it: the events bound it.
        std::iter::repeat_n(source, usize::try_from(named.events).unwrap_or(usize::MAX))
    });
    for event in wire.events {
        let source = senders.next();
        match from_wire(&event) {
            Ok(sound) => {
                events.push(sound);
                sources.push(source);
            }
            Err(fault) => {
                let named = source.as_deref().map(|source| named::once(&source.without_address()));
                let alone = v1::EventBatch {
                    project_id: wire.project_id.clone(),
                    received_at_us: wire.received_at_us,
                    events: vec![event],
                    sources: named.into_iter().collect(),
                };
                invalid.push(Invalid { payload: Bytes::from(alone.encode_to_vec()), fault, source });
            }
        }
    }
    Ok(Decoded { batch: EventBatch { project_id, received_at, events }, sources, invalid })
}

fn from_wire(event: &v1::Event) -> Result<Event, EventFault> {
    let occurred_at = DateTime::from_timestamp_micros(event.occurred_at_us)
        .filter(|time| *time >= DateTime::<Utc>::UNIX_EPOCH)
        .ok_or(EventFault::OccurredAt)?;
    let json = |field, text: &str| JsonObject::parse(text).map_err(|fault| EventFault::Json(field, fault));
    Ok(Event {
        event_id: EventId(Uuid::from_slice(&event.event_id).map_err(|_length| EventFault::EventId)?),
        event_type: EventType::parse(&event.event_type).map_err(|f| EventFault::Text("event_type", f))?,
        user_id: UserId::parse(&event.user_id).map_err(|f| EventFault::Text("user_id", f))?,
        occurred_at,
        session_id: match &event.session_id {
            Some(id) => Some(SessionId::parse(id).map_err(|f| EventFault::Text("session_id", f))?),
            None => None,
        },
        properties: match event.properties.as_str() {
            "" => JsonObject::empty(),
            text => json("properties", text)?,
        },
        context: event.context.as_deref().map(|text| json("context", text)).transpose()?,
    })
}
