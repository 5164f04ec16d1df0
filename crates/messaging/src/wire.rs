//! Events as bytes: Protocol Buffers, by the schema in `proto/events.proto`.

mod decode;
mod encode;
mod named;
mod unchecked;

pub use decode::{Decoded, EventFault, Invalid, WireError, decode};
pub use encode::{Encoded, encode};
pub use unchecked::{Unchecked, mentions, peek, without_addresses};

mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated from the schema")]
    include!(concat!(env!("OUT_DIR"), "/millrace.events.v1.rs"));
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use bytes::Bytes;
    use chrono::DateTime;
    use millrace_domain::batch::EventBatch;
    use millrace_domain::event::Event;
    use millrace_domain::ids::{EventId, ProjectId};
    use millrace_domain::json::{JsonFault, JsonObject};
    use millrace_domain::text::{EventType, SessionId, UserId};
    use proptest::prelude::*;
    use prost::Message;

    use super::encode::{empty, to_wire};
    use super::*;
    use crate::source::{Run, Source};

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
