//! How far the workers are behind the log.

use std::time::Duration;

use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::{consumer, subjects};
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(1);

/// Keeps `worker_consumer_lag` (messages that are not stored) and `worker_oldest_message_age_seconds` up to date.
///
/// # Errors
/// Never: while the broker is away the gauges keep their last values, and the failure is counted.
pub async fn watch(broker: Broker, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match consumer::backlog(&broker, subjects::EVENTS_STREAM).await {
            Ok(backlog) => {
                metrics::gauge!("worker_consumer_lag")
                    .set(u32::try_from(backlog.messages).unwrap_or(u32::MAX));
                metrics::gauge!("worker_oldest_message_age_seconds").set(backlog.oldest.as_secs_f64());
            }
            Err(error) => {
                metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
                tracing::debug!(%error, "the backlog is not known");
            }
        }
    }
}
