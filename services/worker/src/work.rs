//! Messages in hand: what is in them, and how the broker is kept from giving them to somebody else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use millrace_messaging::consumer::Delivery;
use millrace_messaging::dead_letters::DeadLetter;
use millrace_messaging::error::MessagingError;
use millrace_messaging::stored::Stored;
use millrace_messaging::wire::Decoded;
use millrace_storage::append::{Appended, NewEvent};

use crate::dead_letters::{self, REFUSED};
use crate::settle::Ending;

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

/// What becomes of messages whose events were stored, but for those that the database did not take.
#[must_use]
pub fn ended(works: Vec<Work>, appended: &Appended) -> Vec<Ending> {
    let refused: BTreeMap<usize, &str> =
        appended.refused.iter().map(|refusal| (refusal.place, refusal.words.as_str())).collect();
    let mut next = 0;
    let mut end = |Work { delivery, decoded: Decoded { batch, sources, .. }, dead: mut letters }: Work| {
        let (first, sent) = (next, batch.events.len() + letters.len());
        next += batch.events.len();
        for (place, words) in refused.range(first..next) {
            let source = sources.get(place - first).cloned().flatten();
            let payload = dead_letters::alone(&batch, place - first, source.as_deref());
            letters.extend(payload.map(|payload| {
                let detail = (*words).to_owned();
                DeadLetter { payload, reason: REFUSED, detail, source }
            }));
        }
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let stored = appended.by_message.get(&delivery.stream_seq).copied().unwrap_or_default();
        let dead = count(letters.len());
        let outcome = Stored { stored, dead, duplicates: count(sent).saturating_sub(stored + dead) };
        Ending { delivery, letters, outcome }
    };
    works.into_iter().map(&mut end).collect()
}

/// Asks for more time again and again, for as long as the messages are in hand. Where the broker does not hear it, they
/// are given to another worker as well, and the database finds everything stored twice.
pub async fn keep(deliveries: &[&Delivery], every: Duration) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = extend(deliveries).await {
            tracing::debug!(%error, "the broker was not asked for more time");
        }
    }
}

/// Asks for more time.
///
/// # Errors
/// When the broker is away.
pub async fn extend(deliveries: &[&Delivery]) -> Result<(), MessagingError> {
    for delivery in deliveries {
        delivery.extend().await?;
    }
    Ok(())
}

/// Gives everything back at once, for another worker to take.
///
/// # Errors
/// When the broker is away; it then comes again after the consumer's `ack_wait`.
pub async fn give_back(deliveries: &[&Delivery]) -> Result<(), MessagingError> {
    for delivery in deliveries {
        delivery.give_back(Duration::ZERO).await?;
    }
    Ok(())
}
