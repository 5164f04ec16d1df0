//! Merging the parts of activity sets, in the background.

use std::time::Duration;

use millrace_storage::compaction::compact;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use tokio_util::sync::CancellationToken;

/// Sets merged before other work gets a turn.
const SETS_PER_ROUND: i64 = 500;

/// Merges what has come together since the last round.
///
/// # Errors
/// Never: a round that fails is counted, logged and made up for by the next.
pub async fn run(
    database: Database,
    interval: Duration,
    shutdown: CancellationToken,
) -> Result<(), StorageError> {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        match round(&database).await {
            Ok(0) => {}
            Ok(sets) => tracing::debug!(sets, "merged activity sets"),
            Err(error) => {
                metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                tracing::warn!(%error, "activity sets were not merged");
            }
        }
    }
}

async fn round(database: &Database) -> Result<usize, StorageError> {
    let mut connection = database.connection().await?;
    compact(&mut connection, SETS_PER_ROUND).await
}
