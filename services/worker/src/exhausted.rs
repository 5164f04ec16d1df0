//! The safety net: messages that the broker has given up on go to the dead letters, so that nothing lies in the log
//! unseen.

use std::time::Duration;

use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{Consumer, Delivery, PullSettings};
use millrace_messaging::error::MessagingError;
use millrace_messaging::exhausted::{put_away, read};
use millrace_messaging::streams::{self, StreamLimits};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::dead_letters::EXHAUSTED;

const PULL: PullSettings = PullSettings {
    max_messages: 64,
    max_bytes: 1 << 20,
    expires: Duration::from_secs(2),
    ack_wait: Duration::from_secs(30),
    // The net has no net: it tries for ever.
    max_deliveries: None,
};

/// Looks after what the broker has given up on, until `shutdown`.
///
/// # Errors
/// Never: whatever fails is tried again.
pub async fn watch(
    broker: Broker,
    limits: StreamLimits,
    shutdown: CancellationToken,
) -> Result<(), MessagingError> {
    let mut backoff = Backoff::default();
    while !shutdown.is_cancelled() {
        if let Err(error) = follow(&broker, limits, &shutdown).await {
            let wait = backoff.pause();
            metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
            tracing::warn!(%error, ?wait, "messages that were given up are not looked after");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = shutdown.cancelled() => {}
            }
        }
    }
    Ok(())
}

/// Until the broker fails. It may come back without its disk, so each time begins with making the stream.
async fn follow(
    broker: &Broker,
    limits: StreamLimits,
    shutdown: &CancellationToken,
) -> Result<(), MessagingError> {
    streams::ensure(broker, limits).await?;
    let consumer = Consumer::of_exhausted(broker, PULL).await?;
    while !shutdown.is_cancelled() {
        for advisory in consumer.pull().await? {
            settle(broker, &advisory).await?;
        }
    }
    Ok(())
}

async fn settle(broker: &Broker, advisory: &Delivery) -> Result<(), MessagingError> {
    match read(advisory) {
        Ok(given_up) => {
            if put_away(broker, &given_up, EXHAUSTED).await? {
                metrics::counter!("dead_letters_total", "reason" => EXHAUSTED).increment(1);
                let (stream_seq, deliveries) = (given_up.stream_seq, given_up.deliveries);
                tracing::error!(stream_seq, deliveries, "a message was never settled: it is a dead letter");
            }
        }
        // The broker's own words; there is nothing to save.
        Err(error) => tracing::warn!(%error, "an advisory cannot be read"),
    }
    advisory.settle().await
}
