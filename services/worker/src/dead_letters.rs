//! Putting away what can never be stored.

use bytes::Bytes;
use millrace_domain::batch::EventBatch;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::Delivery;
use millrace_messaging::dead_letters::{DeadLetter, bury};
use millrace_messaging::error::MessagingError;
use millrace_messaging::wire;

/// A message that cannot be read.
pub const UNREADABLE: &str = "unreadable";
/// A message of a project that does not exist, or whose subject says another project than its content.
pub const UNKNOWN_PROJECT: &str = "unknown_project";
/// An event that breaks a law of the domain.
pub const INVALID: &str = "invalid";
/// An event that the database does not take.
pub const REFUSED: &str = "refused";

/// Puts one dead letter away, durably, and counts it.
///
/// # Errors
/// When the broker is away or full; the message must then stay in the log.
pub async fn put(
    broker: &Broker,
    from: &Delivery,
    reason: &'static str,
    detail: String,
    payload: Bytes,
) -> Result<(), MessagingError> {
    tracing::warn!(reason, detail, stream_seq = from.stream_seq, "an event goes to the dead letters");
    bury(broker, from, DeadLetter { payload, reason, detail }).await?;
    metrics::counter!("dead_letters_total", "reason" => reason).increment(1);
    Ok(())
}

/// An event of `batch`, encoded alone.
#[must_use]
pub fn alone(batch: &EventBatch, index: usize) -> Option<Bytes> {
    let event = batch.events.get(index)?.clone();
    let single =
        EventBatch { project_id: batch.project_id, received_at: batch.received_at, events: vec![event] };
    wire::encode(&single, usize::MAX).into_iter().next().map(|message| message.payload)
}
