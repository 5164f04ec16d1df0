//! Messages in hand: what is in them, and how the broker is kept from giving them to somebody else.

use std::convert::Infallible;
use std::time::Duration;

use millrace_messaging::consumer::Delivery;
use millrace_messaging::dead_letters::DeadLetter;
use millrace_messaging::error::MessagingError;
use millrace_messaging::wire::Decoded;
use millrace_storage::append::NewEvent;

/// A message in hand and what is in it.
#[derive(Debug)]
pub struct Work {
    /// The message.
    pub delivery: Delivery,
    /// Its events.
    pub decoded: Decoded,
    /// Those of its events that will not be stored, whatever the database says.
    pub dead: Vec<DeadLetter>,
}

impl Work {
    /// Its sound events, for the database.
    pub fn events(&self) -> impl Iterator<Item = NewEvent<'_>> {
        let batch = &self.decoded.batch;
        batch.events.iter().map(|event| NewEvent {
            project_id: batch.project_id,
            stream_seq: self.delivery.stream_seq,
            received_at: batch.received_at,
            event,
        })
    }
}

/// Asks for more time again and again, for as long as the works are in hand. Where the broker does not hear it, they are
/// given to another worker as well, and the database finds everything stored twice.
pub async fn keep(works: &[Work], every: Duration) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = extend(works).await {
            tracing::debug!(%error, "the broker was not asked for more time");
        }
    }
}

/// Asks for more time.
///
/// # Errors
/// When the broker is away.
pub async fn extend(works: &[Work]) -> Result<(), MessagingError> {
    for work in works {
        work.delivery.extend().await?;
    }
    Ok(())
}

/// Gives everything back at once, for another worker to take.
///
/// # Errors
/// When the broker is away; it then comes again after the consumer's `ack_wait`.
pub async fn give_back(works: &[Work]) -> Result<(), MessagingError> {
    for work in works {
        work.delivery.give_back(Duration::ZERO).await?;
    }
    Ok(())
}
