//! Events as bytes: Protocol Buffers, by the schema in `proto/events.proto`.

use std::ops::Range;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::{EventId, ProjectId};
use millrace_domain::json::{JsonFault, JsonObject};
use millrace_domain::text::{EventType, SessionId, TextFault, UserId};
use prost::Message;
use uuid::Uuid;

mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from the schema")]
    include!(concat!(env!("OUT_DIR"), "/millrace.events.v1.rs"));
}

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
    /// The others: each encoded alone, with its fault.
    pub invalid: Vec<(Bytes, EventFault)>,
}

/// A part of a batch, encoded.
#[derive(Debug)]
pub struct Encoded {
    /// The bytes.
    pub payload: Bytes,
    /// Which of the batch's events are in it.
    pub events: Range<usize>,
}

/// Encodes a batch into messages of at most about `max_bytes` each; an event is never split.
#[must_use]
pub fn encode(batch: &EventBatch, max_bytes: usize) -> Vec<Encoded> {
    let mut messages = Vec::new();
    let mut first = 0;
    let mut pending = empty(batch);
    let mut size = pending.encoded_len();
    for (index, event) in batch.events.iter().enumerate() {
        let event = to_wire(event);
        let length = event.encoded_len();
        // The tag, and the length as a varint.
        let framed = 1 + prost::length_delimiter_len(length) + length;
        if size + framed > max_bytes && !pending.events.is_empty() {
            messages.push(Encoded { payload: Bytes::from(pending.encode_to_vec()), events: first..index });
            pending.events.clear();
            first = index;
            size = empty(batch).encoded_len();
        }
        size += framed;
        pending.events.push(event);
    }
    if !pending.events.is_empty() {
        messages.push(Encoded {
            payload: Bytes::from(pending.encode_to_vec()),
            events: first..batch.events.len(),
        });
    }
    messages
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
    let mut invalid = Vec::new();
    for event in wire.events {
        match from_wire(&event) {
            Ok(sound) => events.push(sound),
            Err(fault) => {
                let alone = v1::EventBatch {
                    project_id: wire.project_id.clone(),
                    received_at_us: wire.received_at_us,
                    events: vec![event],
                };
                invalid.push((Bytes::from(alone.encode_to_vec()), fault));
            }
        }
    }
    Ok(Decoded { batch: EventBatch { project_id, received_at, events }, invalid })
}

/// Whether a message has something of a user in it. What is no batch of events is looked through byte by byte.
#[must_use]
pub fn mentions(bytes: &[u8], user: &UserId) -> bool {
    let name = user.as_str();
    let anywhere = || bytes.windows(name.len()).any(|part| part == name.as_bytes());
    match v1::EventBatch::decode(bytes) {
        // Bytes that mean something else may still decode, to a batch of nothing.
        Ok(batch) if batch.project_id.len() == 16 => batch.events.iter().any(|event| event.user_id == name),
        _ => anywhere(),
    }
}

fn empty(batch: &EventBatch) -> v1::EventBatch {
    v1::EventBatch {
        project_id: batch.project_id.0.as_bytes().to_vec(),
        received_at_us: batch.received_at.timestamp_micros(),
        events: Vec::new(),
    }
}

fn to_wire(event: &Event) -> v1::Event {
    v1::Event {
        event_id: event.event_id.0.as_bytes().to_vec(),
        event_type: event.event_type.as_str().to_owned(),
        user_id: event.user_id.as_str().to_owned(),
        occurred_at_us: event.occurred_at.timestamp_micros(),
        session_id: event.session_id.as_ref().map(|id| id.as_str().to_owned()),
        properties: event.properties.as_str().to_owned(),
        context: event.context.as_ref().map(|json| json.as_str().to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch(users: &[String]) -> EventBatch {
        let events = users
            .iter()
            .map(|user| Event {
                event_id: EventId::new(),
                event_type: EventType::parse("login").unwrap(),
                user_id: UserId::parse(user).unwrap(),
                occurred_at: DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap(),
                session_id: SessionId::parse("s-1").ok(),
                properties: JsonObject::parse(r#"{"a": 1.50}"#).unwrap(),
                context: None,
            })
            .collect();
        let received_at = DateTime::from_timestamp_micros(1_700_000_001_000_000).unwrap();
        EventBatch { project_id: ProjectId::new(), received_at, events }
    }

    proptest! {
        #[test]
        fn messages_stay_below_the_limit_and_together_are_the_batch(
            users in prop::collection::vec("[a-z]{1,255}", 1..40), max_bytes in 400usize..4000,
        ) {
            let batch = batch(&users);
            let messages = encode(&batch, max_bytes);
            prop_assert!(messages.iter().all(|m| m.payload.len() <= max_bytes));
            for message in &messages {
                prop_assert_eq!(&decode(&message.payload).unwrap().batch.events, &batch.events[message.events.clone()]);
            }
            let events: Vec<Event> =
                messages.iter().flat_map(|m| decode(&m.payload).unwrap().batch.events).collect();
            prop_assert_eq!(events, batch.events);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn who_is_in_a_message_is_told_also_where_it_is_broken() {
        let bytes = wire_bytes(&["ada", "bob"]);
        let mentions = |bytes: &[u8], user: &str| mentions(bytes, &UserId::parse(user).unwrap());
        assert!(mentions(&bytes, "ada") && mentions(&bytes, "bob"));
        assert!(!mentions(&bytes, "ad") && !mentions(&bytes, "adab"), "it is the whole name that counts");
        assert!(mentions(&bytes[..bytes.len() - 1], "ada") && mentions(b"\xff..ada..", "ada"));
        assert!(!mentions(b"\xff..ada..", "bob"));
    }

    fn wire_bytes(users: &[&str]) -> Bytes {
        let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
        encode(&batch(&users), usize::MAX).remove(0).payload
    }

    #[test]
    fn an_event_that_breaks_a_law_is_set_aside_and_the_rest_kept() {
        let batch = batch(&["ada".to_owned(), "bob".to_owned()]);
        let mut wire = empty(&batch);
        wire.events = batch.events.iter().map(to_wire).collect();
        wire.events[0].properties = "[1]".to_owned();
        let decoded = decode(&wire.encode_to_vec()).unwrap();
        assert_eq!(decoded.batch.events, batch.events[1..]);
        assert_eq!(decoded.invalid[0].1, EventFault::Json("properties", JsonFault::NotAnObject));
        assert_eq!(decode(&decoded.invalid[0].0).unwrap().invalid.len(), 1);
    }
}
