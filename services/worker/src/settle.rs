//! Ending the life of messages in the log: after their events are stored or put away, never before.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::Delivery;
use millrace_messaging::dead_letters::{DeadLetter, Lineage};
use millrace_messaging::error::MessagingError;
use millrace_messaging::stored::{self, Stored};
use millrace_messaging::{subjects, wire};

use crate::dead_letters::put;

/// Letters of a message that are on their way at once. The broker syncs each to its disk: one after the other, those of
/// a large message would take longer than its lease.
const LETTERS_AT_ONCE: usize = 32;

/// A message of which everything is stored but what is in its letters.
#[derive(Debug)]
pub struct Ending {
    /// The message.
    pub delivery: Delivery,
    /// What is to be put away first.
    pub letters: Vec<DeadLetter>,
    /// What became of its events.
    pub outcome: Stored,
}

impl Ending {
    /// A message that goes to the dead letters as a whole, with so many events, as far as that is known.
    #[must_use]
    pub fn whole(delivery: Delivery, reason: &'static str, detail: String, events: usize) -> Self {
        let payload = wire::without_addresses(delivery.payload());
        let letters = vec![DeadLetter { payload, reason, detail, source: None }];
        let dead = u64::try_from(events).unwrap_or(u64::MAX);
        Self { delivery, letters, outcome: Stored { dead, ..Stored::default() } }
    }
}

/// Takes messages out of the log, those that leave nothing behind before the others: none waits for the letters of
/// another one, and where one has to stay the others go.
///
/// # Errors
/// When the broker is away or has no room for a letter. What is not settled comes again, and storing it again changes
/// nothing.
pub async fn settle(
    broker: &Broker,
    endings: &[Ending],
    failing_since: DateTime<Utc>,
) -> Result<(), MessagingError> {
    let (clean, others): (Vec<_>, Vec<_>) = endings.iter().partition(|ending| ending.letters.is_empty());
    let mut outcome = Ok(());
    for ending in clean.into_iter().chain(others) {
        let settled = end(broker, ending, failing_since).await;
        if matches!(settled, Err(MessagingError::Unavailable(_))) {
            return settled;
        }
        outcome = outcome.and(settled);
    }
    outcome
}

/// Puts away what is left of a message, tells whoever waits for it, and takes it out of the log.
async fn end(broker: &Broker, ending: &Ending, failing_since: DateTime<Utc>) -> Result<(), MessagingError> {
    let Ending { delivery, letters, outcome } = ending;
    let from = Lineage::of(delivery, failing_since);
    stream::iter(letters.iter().cloned())
        .map(|letter| put(broker, from, letter))
        .buffered(LETTERS_AT_ONCE)
        .try_collect::<()>()
        .await?;
    if let Some(inbox) = delivery.header(subjects::STORED_REPLY_HEADER) {
        stored::tell(broker, inbox, *outcome).await?;
    }
    delivery.settle().await
}
