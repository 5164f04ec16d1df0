//! Security events on their way into the audit log. Auth alone takes them from the stream, because the table is its.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use millrace_domain::audit::SecurityEvent;

use crate::broker::Broker;
use crate::consumer::Delivery;
use crate::error::MessagingError;
use crate::publisher::acknowledge;
use crate::subjects;

/// Publishes an event, and returns when JetStream has it on disk. To publish it again is safe: it is one entry.
///
/// # Errors
/// When the broker is away or its stream is full. The event may be in the stream all the same.
pub async fn publish(broker: &Broker, event: &SecurityEvent) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let payload = serde_json::to_vec(event).map_err(|e| MessagingError::Refused(e.to_string()))?;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, event.id.to_string());
    acknowledge(broker, subjects::audit(event.action), headers, payload.into()).await
}

/// The event in a message.
///
/// # Errors
/// When it is none, or one that only a later version knows.
pub fn read(delivery: &Delivery) -> Result<SecurityEvent, serde_json::Error> {
    serde_json::from_slice(delivery.payload())
}
