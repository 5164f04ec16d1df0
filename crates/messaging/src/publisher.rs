//! Publishing accepted events.

use std::error::Error;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use futures_util::future::try_join_all;
use millrace_domain::batch::EventBatch;
use uuid::Uuid;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::source::Run;
use crate::stored::StoredReplies;
use crate::trace::{MAX_ORIGINS, Origin};
use crate::wire::Encoded;
use crate::{subjects, wire};

/// The size messages are kept below. Larger ones save nothing and make a worker's batches uneven.
const TARGET_BYTES: usize = 1 << 20;
/// What headers and protocol may add to a payload.
const OVERHEAD: usize = 16 << 10;

/// Publishes a batch that `origins` brought, and returns when JetStream has acknowledged all of it: on disk, on a majority of the replicas.
///
/// A failure leaves it unknown whether some of the events are in the log. That is safe: the sender is told to try
/// again, and the same events are stored once.
///
/// # Errors
/// [`MessagingError::Unavailable`] or [`MessagingError::Full`] when it may succeed later.
pub async fn publish(broker: &Broker, batch: &EventBatch, origins: &[Origin]) -> Result<(), MessagingError> {
    send(broker, batch, origins, None).await.map(drop)
}

/// Publishes a batch and asks the workers to tell when it is stored.
///
/// # Errors
/// As [`publish`].
pub async fn publish_watched(
    broker: &Broker,
    batch: &EventBatch,
    origin: Origin,
) -> Result<StoredReplies, MessagingError> {
    let mut replies = StoredReplies::listen(broker).await?;
    let messages = send(broker, batch, &[origin], Some(replies.inbox())).await?;
    replies.expect(messages);
    Ok(replies)
}

async fn send(
    broker: &Broker,
    batch: &EventBatch,
    origins: &[Origin],
    reply: Option<&str>,
) -> Result<usize, MessagingError> {
    broker.check_connected()?;
    let limit = broker.client.server_info().max_payload.saturating_sub(OVERHEAD).min(TARGET_BYTES);
    let runs: Vec<Run<'_>> = origins.iter().map(Origin::run).collect();
    let messages = wire::encode(batch, &runs, limit);
    let subject = subjects::events(batch.project_id);
    let acknowledged = messages.iter().map(|message| {
        let mut headers = HeaderMap::new();
        for origin in origins.iter().take(MAX_ORIGINS) {
            origin.write(&mut headers);
        }
        match reply {
            // The broker must not swallow it as a repetition: somebody waits for the reply.
            Some(inbox) => headers.insert(subjects::STORED_REPLY_HEADER, inbox),
            None => headers.insert(NATS_MESSAGE_ID, message_id(batch, message)),
        }
        acknowledge(broker, subject.clone(), headers, message.payload.clone())
    });
    let outcome = try_join_all(acknowledged).await;
    if let Err(MessagingError::Full) = outcome {
        broker.room.is_used_up();
    }
    outcome.map(|_all| messages.len())
}

pub(crate) async fn acknowledge(
    broker: &Broker,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<(), MessagingError> {
    let sent = broker.jetstream.publish_with_headers(subject, headers, payload).await;
    let outcome = match sent {
        Ok(acknowledgement) => acknowledgement.await.map(drop),
        Err(error) => Err(error),
    };
    outcome.map_err(|error| match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => MessagingError::Refused(error.to_string()),
        PublishErrorKind::Other if is_full(&error) => MessagingError::Full,
        _ => MessagingError::Unavailable(error.to_string()),
    })
}

/// Whether the broker had no room in the stream, or none on its disk.
fn is_full(error: &PublishError) -> bool {
    let said = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    said.is_some_and(|said| said.error_code() == ErrorCode::STREAM_STORE_FAILED)
}

/// The same for the same events, so that a request that is tried again within the broker's window is one message.
/// When they were received is no part of it: that differs with every try. Windows belong to the stream, so the
/// project is part of it.
fn message_id(batch: &EventBatch, message: &Encoded) -> String {
    let events = batch.events.get(message.events.clone()).unwrap_or_default();
    let mut identities = Vec::with_capacity(events.len() * 24);
    for event in events {
        identities.extend_from_slice(event.event_id.0.as_bytes());
        identities.extend_from_slice(&event.occurred_at.timestamp_micros().to_be_bytes());
    }
    Uuid::new_v5(&batch.project_id.0, &identities).to_string()
}

#[cfg(test)]
mod tests {
    use millrace_testkit::story::did;

    use super::*;

    #[test]
    fn a_retry_has_the_same_message_id_and_other_events_have_another() {
        let event = did("ada", "login", "2026-11-01T12:00:00Z").event();
        let project_id = millrace_domain::ids::ProjectId::new();
        let id = |events, second| {
            let received_at = chrono::DateTime::from_timestamp(second, 0).unwrap();
            let batch = EventBatch { project_id, received_at, events };
            message_id(&batch, &wire::encode(&batch, &[], 1 << 20)[0])
        };
        assert_eq!(id(vec![event.clone()], 1), id(vec![event.clone()], 2));
        assert_ne!(id(vec![event.clone()], 1), id(vec![event.clone(), event], 1));
    }
}
