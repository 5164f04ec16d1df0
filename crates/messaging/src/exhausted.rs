//! Messages of the log that the broker has delivered so often that it has given up on them. It tells so once, by an
//! advisory that the stream [`subjects::EXHAUSTED_STREAM`] keeps; without somebody who looks after them they would lie
//! in the log for ever, and nobody would see them.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::broker::Broker;
use crate::consumer::Delivery;
use crate::dead_letters::{DeadLetter, Lineage, bury};
use crate::error::MessagingError;
use crate::{subjects, wire};

/// The broker's word on a message that it has given up on (`io.nats.jetstream.advisory.v1.max_deliver`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct GivenUp {
    /// The message's sequence in [`subjects::EVENTS_STREAM`].
    pub stream_seq: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// When it was given up.
    pub timestamp: DateTime<Utc>,
}

/// Reads an advisory.
///
/// # Errors
/// When it is something else.
pub fn read(delivery: &Delivery) -> Result<GivenUp, serde_json::Error> {
    serde_json::from_slice(delivery.payload())
}

/// Puts a message that was given up with the dead letters, then takes it out of the log. Returns whether it was still
/// there.
///
/// # Errors
/// When the broker is away or there is no room for it: it then stays where it is.
pub async fn put_away(
    broker: &Broker,
    given_up: &GivenUp,
    reason: &'static str,
) -> Result<bool, MessagingError> {
    let stream =
        broker.jetstream.get_stream(subjects::EVENTS_STREAM).await.map_err(MessagingError::unavailable)?;
    let Some(message) = find(&stream, given_up.stream_seq).await? else { return Ok(false) };
    let from = Lineage {
        subject: &message.subject,
        sequence: given_up.stream_seq,
        deliveries: given_up.deliveries,
        // Whatever failed took those with it who could say when: it was not before the message came.
        failing_since: message.came_at,
        headers: Some(&message.headers),
    };
    let letter = DeadLetter {
        payload: wire::without_addresses(&message.payload),
        reason,
        detail: format!("delivered {} times and never settled", given_up.deliveries),
        source: None,
    };
    bury(broker, from, letter).await?;
    stream.delete_message(given_up.stream_seq).await.map_err(MessagingError::unavailable)
}

struct Message {
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
    came_at: DateTime<Utc>,
}

async fn find(stream: &Stream, sequence: u64) -> Result<Option<Message>, MessagingError> {
    match stream.get_raw_message(sequence).await {
        Ok(found) => Ok(Some(Message {
            subject: found.subject.to_string(),
            headers: found.headers,
            payload: found.payload,
            came_at: i64::try_from(found.time.unix_timestamp_nanos())
                .map(DateTime::from_timestamp_nanos)
                .unwrap_or_default(),
        })),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(MessagingError::unavailable(error)),
    }
}
