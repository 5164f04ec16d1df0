//! Security events from the stream into the audit log: pull, append in a transaction, and only then take them out of
//! the stream. A crash in between brings them again, and the log has them already.

use std::time::Duration;

use chrono::Utc;
use millrace_domain::audit::SecurityEvent;
use millrace_messaging::audit::read;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{self, Consumer, Delivery, PullSettings};
use millrace_messaging::dead_letters::{self, DeadLetter, Lineage};
use millrace_messaging::error::MessagingError;
use millrace_messaging::streams::{self, AuditLimits};
use millrace_messaging::subjects;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use tokio_util::sync::CancellationToken;

use super::append;

const PULL: PullSettings = PullSettings {
    max_messages: 256,
    max_bytes: 1 << 20,
    expires: Duration::from_millis(200),
    // Longer than waiting for a connection and for a statement.
    ack_wait: Duration::from_secs(30),
    // For ever: what may be given up on is decided by what went wrong, never by how often.
    max_deliveries: None,
};
/// How long to wait after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the backlog is measured.
const INTERVAL: Duration = Duration::from_secs(5);

/// Takes security events from the stream, until `shutdown`.
#[derive(Debug)]
pub struct Intake {
    /// Where they come from.
    pub broker: Broker,
    /// Where they go.
    pub database: Database,
    /// What the stream may hold.
    pub limits: AuditLimits,
    /// When to stop.
    pub shutdown: CancellationToken,
}

impl Intake {
    /// Works until it is asked to stop; what is in hand is finished first.
    ///
    /// # Errors
    /// Never: whatever fails is tried again.
    pub async fn run(self) -> Result<(), MessagingError> {
        tokio::join!(self.follow(), self.measure());
        Ok(())
    }

    async fn follow(&self) {
        while !self.shutdown.is_cancelled() {
            if let Err(error) = self.take_in().await {
                metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
                tracing::warn!(%error, "security events are not taken from the stream");
                self.pause(PAUSE).await;
            }
        }
    }

    /// Until the broker fails. It may come back without its disk, so each time begins with making the stream.
    async fn take_in(&self) -> Result<(), MessagingError> {
        streams::ensure_audit(&self.broker, self.limits).await?;
        let consumer = Consumer::of_audit(&self.broker, PULL).await?;
        while !self.shutdown.is_cancelled() {
            // Not raced against the shutdown: dropping a pull would strand messages that are on their way.
            let deliveries = consumer.pull().await?;
            let (mut messages, mut events) = (Vec::new(), Vec::new());
            for delivery in deliveries {
                match read(&delivery) {
                    Ok(event) => {
                        messages.push(delivery);
                        events.push(event);
                    }
                    Err(error) => self.discard(&delivery, "unreadable", error.to_string()).await?,
                }
            }
            self.store(&messages, &events).await?;
        }
        Ok(())
    }

    async fn store(&self, messages: &[Delivery], events: &[SecurityEvent]) -> Result<(), MessagingError> {
        if messages.is_empty() {
            return Ok(());
        }
        match (append(&self.database, events).await, messages) {
            (Ok(()), _) => {
                for message in messages {
                    message.settle().await?;
                }
            }
            (Err(StorageError::Refused(detail)), [message]) => {
                self.discard(message, "refused", detail).await?;
            }
            // One of them is at fault; the others must not wait for it.
            (Err(error), [_, _, ..]) if !error.is_transient() => {
                for (message, event) in messages.iter().zip(events) {
                    let alone = (std::slice::from_ref(message), std::slice::from_ref(event));
                    Box::pin(self.store(alone.0, alone.1)).await?;
                }
            }
            (Err(error), _) => {
                metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                tracing::warn!(%error, "security events are not appended, trying again");
                for message in messages {
                    message.give_back(PAUSE).await?;
                }
                self.pause(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Puts away what can never be appended. While there is no room for it, it stays in the stream.
    async fn discard(
        &self,
        message: &Delivery,
        reason: &'static str,
        detail: String,
    ) -> Result<(), MessagingError> {
        tracing::error!(reason, detail, subject = message.subject(), "a security event cannot be appended");
        let letter = DeadLetter { payload: message.payload().clone(), reason, detail, source: None };
        let from = Lineage::of(message, Utc::now());
        if let Err(error) = dead_letters::bury(&self.broker, from, letter).await {
            tracing::warn!(%error, "the security event stays in the stream");
            return message.give_back(PULL.ack_wait).await;
        }
        metrics::counter!("dead_letters_total", "reason" => reason).increment(1);
        message.settle().await
    }

    async fn measure(&self) {
        while !self.shutdown.is_cancelled() {
            if let Ok(backlog) = consumer::backlog(&self.broker, subjects::AUDIT_STREAM).await {
                metrics::gauge!("audit_backlog").set(u32::try_from(backlog.messages).unwrap_or(u32::MAX));
            }
            self.pause(INTERVAL).await;
        }
    }

    async fn pause(&self, length: Duration) {
        tokio::select! {
            () = tokio::time::sleep(length) => {}
            () = self.shutdown.cancelled() => {}
        }
    }
}
