//! Events as bytes: Protocol Buffers, by the schema in `proto/events.proto`.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::{EventId, KeyId, ProjectId};
use millrace_domain::json::{JsonFault, JsonObject};
use millrace_domain::text::{EventType, SessionId, TextFault, UserId};
use prost::Message;
use uuid::Uuid;

use crate::source::{Run, Source};

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

/// A part of a batch, encoded.
#[derive(Debug)]
pub struct Encoded {
    /// The bytes.
    pub payload: Bytes,
    /// Which of the batch's events are in it.
    pub events: Range<usize>,
}

/// Encodes a batch whose events came in these runs into messages of at most about `max_bytes` each; an event is never
/// split. Events beyond the last run are of nobody known.
#[must_use]
pub fn encode(batch: &EventBatch, runs: &[Run<'_>], max_bytes: usize) -> Vec<Encoded> {
    let mut messages = Vec::new();
    let mut first = 0;
    let mut pending = empty(batch);
    let mut size = pending.encoded_len();
    let mut runs = runs.iter().map(|run| (run.events, source_to_wire(run.source)));
    let mut run = runs.next();
    let mut run_is_named = false;
    for (index, event) in batch.events.iter().enumerate() {
        while run.as_ref().is_some_and(|(left, _)| *left == 0) {
            (run, run_is_named) = (runs.next(), false);
        }
        let event = to_wire(event);
        let framed = framed(&event);
        // What naming the source may cost, its count included.
        let naming = run.as_ref().filter(|_| !run_is_named).map_or(0, |(_, source)| framed_source(source));
        if size + framed + naming > max_bytes && !pending.events.is_empty() {
            messages.push(Encoded { payload: Bytes::from(pending.encode_to_vec()), events: first..index });
            pending = empty(batch);
            first = index;
            size = pending.encoded_len();
            run_is_named = false;
        }
        size += framed;
        pending.events.push(event);
        if let Some((left, source)) = &mut run {
            *left -= 1;
            if !run_is_named {
                size += framed_source(source);
                pending.sources.push(source.clone());
                run_is_named = true;
            }
            if let Some(named) = pending.sources.last_mut() {
                named.events += 1;
            }
        }
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
    let mut sources = Vec::with_capacity(wire.events.len());
    let mut invalid = Vec::new();
    let mut senders = wire.sources.iter().flat_map(|named| {
        let source = Arc::new(source_from_wire(named));
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
                let named = source.as_deref().map(|source| named_once(&source.without_address()));
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

/// The same message with nothing in it that must not be kept; what cannot be read stays as it is.
#[must_use]
pub fn without_addresses(payload: &Bytes) -> Bytes {
    match v1::EventBatch::decode(payload.as_ref()) {
        Ok(mut batch) if batch.sources.iter().any(|source| !source.address.is_empty()) => {
            batch.sources.iter_mut().for_each(|source| source.address.clear());
            Bytes::from(batch.encode_to_vec())
        }
        _ => payload.clone(),
    }
}

/// An event as it stands in a message, whether or not it keeps the laws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// Its id, if it has 16 bytes.
    pub event_id: Option<Uuid>,
    /// What happened.
    pub event_type: String,
    /// Whom it happened to.
    pub user_id: String,
    /// When, if it is a time.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The session.
    pub session_id: Option<String>,
    /// Text that should be a JSON object.
    pub properties: String,
    /// Text that should be a JSON object.
    pub context: Option<String>,
}

/// The events of a message as they stand there; none if it is no batch.
#[must_use]
pub fn peek(payload: &[u8]) -> Vec<Unchecked> {
    let batch = v1::EventBatch::decode(payload).unwrap_or_default();
    let events = batch.events.into_iter().map(|event| Unchecked {
        event_id: Uuid::from_slice(&event.event_id).ok(),
        event_type: event.event_type,
        user_id: event.user_id,
        occurred_at: DateTime::from_timestamp_micros(event.occurred_at_us),
        session_id: event.session_id,
        properties: event.properties,
        context: event.context,
    });
    events.collect()
}

/// The tag, and the length as a varint, before what they announce.
fn framed(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + prost::length_delimiter_len(length) + length
}

/// The size of a source whose count is still to be written.
fn framed_source(source: &v1::Source) -> usize {
    framed(source) + 12
}

fn named_once(source: &Source) -> v1::Source {
    v1::Source { events: 1, ..source_to_wire(source) }
}

fn source_to_wire(source: &Source) -> v1::Source {
    v1::Source {
        events: 0,
        request_id: source.request_id.clone(),
        key_id: source.key_id.map(|key| key.0.as_bytes().to_vec()).unwrap_or_default(),
        user_agent: source.user_agent.clone().unwrap_or_default(),
        address: match source.address {
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
            None => Vec::new(),
        },
    }
}

/// What is not understood is left out: nothing depends on it.
fn source_from_wire(source: &v1::Source) -> Source {
    let v4 = <[u8; 4]>::try_from(source.address.as_slice()).map(IpAddr::from);
    let address = v4.or_else(|_other| <[u8; 16]>::try_from(source.address.as_slice()).map(IpAddr::from));
    Source {
        key_id: Uuid::from_slice(&source.key_id).ok().map(KeyId),
        ..Source::of(&source.request_id).with_user_agent(Some(&source.user_agent)).with_address(address.ok())
    }
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
        sources: Vec::new(),
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
            let messages = encode(&batch, &[], max_bytes);
            prop_assert!(messages.iter().all(|m| m.payload.len() <= max_bytes));
            for message in &messages {
                prop_assert_eq!(&decode(&message.payload).unwrap().batch.events, &batch.events[message.events.clone()]);
            }
            let events: Vec<Event> =
                messages.iter().flat_map(|m| decode(&m.payload).unwrap().batch.events).collect();
            prop_assert_eq!(events, batch.events);
        }

        #[test]
        fn every_event_keeps_its_source_however_the_batch_is_cut(
            lengths in prop::collection::vec(0usize..5, 0..12), more in 0usize..4, max_bytes in 300usize..2000,
        ) {
            let sources: Vec<Source> = (0..lengths.len())
                .map(|n| {
                    let agent = "a".repeat(n * 7);
                    let address = IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()]);
                    Source::of(&format!("r-{n}")).with_user_agent(Some(&agent)).with_address(Some(address))
                })
                .collect();
            let runs: Vec<Run<'_>> =
                lengths.iter().zip(&sources).map(|(events, source)| Run { events: *events, source }).collect();
            let expected: Vec<Option<Source>> = runs
                .iter()
                .flat_map(|run| std::iter::repeat_n(Some(run.source.clone()), run.events))
                .chain(std::iter::repeat_n(None, more))
                .collect();
            let batch = batch(&vec!["ada".to_owned(); expected.len()]);
            let messages = encode(&batch, &runs, max_bytes);
            prop_assert!(messages.iter().all(|m| m.payload.len() <= max_bytes || m.events.len() == 1));
            let found: Vec<Option<Source>> = messages
                .iter()
                .flat_map(|m| decode(&m.payload).unwrap().sources)
                .map(|source| source.map(|source| Source::clone(&source)))
                .collect();
            prop_assert_eq!(found, expected);
            for message in &messages {
                let kept = decode(&without_addresses(&message.payload)).unwrap();
                prop_assert!(kept.sources.iter().flatten().all(|source| source.address.is_none()));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
            let _ = (peek(&bytes), without_addresses(&Bytes::from(bytes)));
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
        encode(&batch(&users), &[], usize::MAX).remove(0).payload
    }

    #[test]
    fn an_event_that_breaks_a_law_is_set_aside_and_the_rest_kept() {
        let batch = batch(&["ada".to_owned(), "bob".to_owned()]);
        let mut wire = empty(&batch);
        wire.events = batch.events.iter().map(to_wire).collect();
        wire.events[0].properties = "[1]".to_owned();
        let decoded = decode(&wire.encode_to_vec()).unwrap();
        assert_eq!(decoded.batch.events, batch.events[1..]);
        assert_eq!(decoded.invalid[0].fault, EventFault::Json("properties", JsonFault::NotAnObject));
        assert_eq!(decode(&decoded.invalid[0].payload).unwrap().invalid.len(), 1);
    }
}
