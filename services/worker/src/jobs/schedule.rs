//! Maintenance, by the clock: each time once, however many workers there are.

use std::time::Duration;

use chrono::Utc;
use millrace_domain::jobs::Kind;
use millrace_messaging::jobs::wake;
use millrace_storage::error::StorageError;
use millrace_storage::jobs::schedule;
use tokio_util::sync::CancellationToken;

use crate::jobs::Tools;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What is due, and every how many intervals.
const DUE: [(Kind, u32); 5] = [
    (Kind::Retention, 1),
    (Kind::Cleanup, 1),
    (Kind::Compaction, 6),
    (Kind::Statistics, 24),
    (Kind::Compression, 24),
];

/// Notes what is due, every `interval`.
///
/// # Errors
/// Never: what could not be noted is noted by the next look.
pub async fn run(tools: Tools, interval: Duration, shutdown: CancellationToken) -> Result<(), StorageError> {
    let mut looks = tokio::time::interval(LOOK_EVERY.min(interval));
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = looks.tick() => {}
        }
        for (kind, every) in DUE {
            if let Err(error) = note(&tools, kind, interval.saturating_mul(every)).await {
                metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                tracing::warn!(%error, %kind, "maintenance was not scheduled");
            }
        }
    }
}

async fn note(tools: &Tools, kind: Kind, period: Duration) -> Result<(), StorageError> {
    let seconds = i64::try_from(period.as_secs().max(1)).unwrap_or(i64::MAX);
    let slot = format!("{kind}/{seconds}/{}", Utc::now().timestamp().div_euclid(seconds));
    let mut conn = tools.database.connection().await?;
    if schedule(&mut conn, kind, &slot).await? {
        // Whoever looks for jobs finds it without.
        let _ = wake(&tools.broker, kind, millrace_domain::ids::JobId::new()).await;
    }
    Ok(())
}
