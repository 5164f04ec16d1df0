//! Notifications: from whoever changes something to whoever looks at the project.
//!
//! They are published on `notify.v1.<project>.<kind>`, and kept for a while in the order in which they were ([`missed`]).
//! The broker tells each once it has it on disk ([`told`]), with its place in that order: the cursor from which somebody
//! who was away can be told the rest.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_MESSAGE_ID, NATS_SEQUENCE};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::Notification;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::publisher::acknowledge;
use crate::{streams, subjects};

pub mod missed;

/// How long until the broker is asked again for the stream.
const PAUSE: Duration = Duration::from_secs(1);

/// Sees to it that notifications are kept and told. Ends when the stream is there, or with `shutdown`.
///
/// # Errors
/// Never: the broker is asked until it has made it.
pub async fn prepare(
    broker: Broker,
    replicas: usize,
    shutdown: CancellationToken,
) -> Result<(), MessagingError> {
    while let Err(error) = streams::ensure_notifications(&broker, replicas).await {
        tracing::warn!(%error, "notifications are not kept");
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    shutdown.cancelled().await;
    Ok(())
}

/// Tells whoever looks at the project. When this returns, the broker has it on disk. To tell it again is safe: it is told
/// once.
///
/// # Errors
/// When the broker does not take it. What was to be told has happened all the same, so callers log this and go on.
pub async fn notify(
    broker: &Broker,
    project: ProjectId,
    notification: &Notification,
) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let payload = serde_json::to_vec(notification).map_err(MessagingError::unavailable)?;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, notification.id.to_string());
    acknowledge(broker, subjects::notification(project, notification.kind), headers, payload.into()).await
}

/// What is published about a project from now on, each a [`Notification`].
///
/// # Errors
/// When the connection is closed for good.
pub async fn listen(
    broker: &Broker,
    project: ProjectId,
) -> Result<impl Stream<Item = Bytes> + Send + Unpin + use<>, MessagingError> {
    let messages = broker.client.subscribe(subjects::notifications(project)).await;
    Ok(messages.map_err(MessagingError::unavailable)?.map(|message| message.payload))
}

/// The same, once it is kept: each with its cursor.
///
/// # Errors
/// When the connection is closed for good.
pub async fn told(
    broker: &Broker,
    project: ProjectId,
) -> Result<impl Stream<Item = (u64, Bytes)> + Send + Unpin + use<>, MessagingError> {
    let messages = broker.client.subscribe(subjects::told(project)).await;
    Ok(messages.map_err(MessagingError::unavailable)?.map(|message| {
        let sequence = message.headers.as_ref().and_then(|headers| headers.get(NATS_SEQUENCE));
        (sequence.and_then(|text| text.as_str().parse().ok()).unwrap_or_default(), message.payload)
    }))
}
