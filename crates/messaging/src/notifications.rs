//! Notifications: from whoever changes something to whoever looks at the project, on core NATS. They are not kept; who
//! was not listening looks at the state itself.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::Notification;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// Tells whoever looks at the project. It is on its way when this returns, and nothing waits for anybody to hear it.
///
/// # Errors
/// When the broker is away. What was to be told has happened all the same, so callers log this and go on.
pub async fn notify(
    broker: &Broker,
    project: ProjectId,
    notification: &Notification,
) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let payload = serde_json::to_vec(notification).map_err(MessagingError::unavailable)?;
    let subject = subjects::notification(project, notification.kind);
    broker.client.publish(subject, payload.into()).await.map_err(MessagingError::unavailable)
}

/// What is told about a project from now on, each a [`Notification`].
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
