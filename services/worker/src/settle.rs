//! Ending a message's life in the log: after its events are stored or put away, never before.

use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::Delivery;
use millrace_messaging::error::MessagingError;
use millrace_messaging::stored::{self, Stored};
use millrace_messaging::subjects;

/// Takes a message out of the log and tells whoever waits for it.
///
/// # Errors
/// When the broker is away. The message then comes again, and storing it again changes nothing.
pub async fn settle(broker: &Broker, delivery: &Delivery, outcome: Stored) -> Result<(), MessagingError> {
    if let Some(inbox) = delivery.header(subjects::STORED_REPLY_HEADER) {
        stored::tell(broker, inbox, outcome).await?;
    }
    delivery.settle().await
}
