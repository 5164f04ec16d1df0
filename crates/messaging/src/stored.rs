//! The worker's word that a message's events are stored, for senders that want to wait for it.

use std::time::Duration;

use async_nats::Subscriber;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};

use crate::broker::Broker;
use crate::error::MessagingError;

/// What became of one message's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Rows that were new.
    pub stored: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Events that went to the dead letters.
    pub dead: u64,
}

/// Replies on their way.
#[derive(Debug)]
pub struct StoredReplies {
    inbox: String,
    subscriber: Subscriber,
    expected: usize,
}

impl StoredReplies {
    pub(crate) async fn listen(broker: &Broker) -> Result<Self, MessagingError> {
        let inbox = broker.client.new_inbox();
        let subscriber = broker.client.subscribe(inbox.clone()).await.map_err(MessagingError::unavailable)?;
        Ok(Self { inbox, subscriber, expected: 0 })
    }

    pub(crate) fn inbox(&self) -> &str {
        &self.inbox
    }

    pub(crate) fn expect(&mut self, messages: usize) {
        self.expected = messages;
    }

    /// Waits until every message has been stored; `None` when that takes longer than `patience`.
    pub async fn wait(mut self, patience: Duration) -> Option<Stored> {
        let all = async {
            let mut sum = Stored::default();
            for _ in 0..self.expected {
                let message = self.subscriber.next().await?;
                let one: Stored = serde_json::from_slice(&message.payload).ok()?;
                sum.stored += one.stored;
                sum.duplicates += one.duplicates;
                sum.dead += one.dead;
            }
            Some(sum)
        };
        tokio::time::timeout(patience, all).await.ok().flatten()
    }
}

/// Tells whoever waits for it.
///
/// # Errors
/// When the broker is away; the sender then waits in vain, and nothing else is lost.
pub async fn tell(broker: &Broker, inbox: &str, stored: Stored) -> Result<(), MessagingError> {
    let payload = serde_json::to_vec(&stored).map_err(MessagingError::unavailable)?;
    broker.client.publish(inbox.to_owned(), payload.into()).await.map_err(MessagingError::unavailable)
}
