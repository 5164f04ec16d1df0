//! Storing who did what when, a day of an event type at a time, in the background.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::postings::building::build;
use millrace_storage::postings::due::{DueDay, Place, look};
use tokio_util::sync::CancellationToken;

/// Days looked at before other work gets a turn.
const DAYS_PER_ROUND: i64 = 16;
/// Events read before other work gets a turn, unless a day has more.
const EVENTS_PER_ROUND: i64 = 500_000;
/// Days that are waited for. Others are noticed when they come up again.
const MOST_WAITING: usize = 10_000;

/// A day that was found to be due.
struct Seen {
    /// Its events, when it was first found like this.
    as_of: (i64, i64),
    since: Instant,
    /// In which walk it was found last.
    walk: u64,
}

/// Walks through the days of all projects, again and again. What it knows is lost with the process, and found again.
#[derive(Default)]
struct Builder {
    place: Option<Place>,
    walk: u64,
    waiting: HashMap<DueDay, Seen>,
}

/// Stores what has not changed for as long as `quiet`.
///
/// # Errors
/// Never: a round that fails is counted, logged and made up for by a later one.
pub async fn run(
    database: Database,
    interval: Duration,
    quiet: Duration,
    shutdown: CancellationToken,
) -> Result<(), StorageError> {
    let mut builder = Builder::default();
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = builder.round(&database, quiet).await {
            metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
            tracing::warn!(%error, "postings were not stored");
        }
    }
}

impl Builder {
    async fn round(&mut self, database: &Database, quiet: Duration) -> Result<(), StorageError> {
        let mut connection = database.connection().await?;
        let due = look(&mut connection, self.place, DAYS_PER_ROUND).await?;
        let mut events = 0;
        for (day, as_of) in due.days {
            if !self.is_quiet(&day, as_of, quiet) {
                continue;
            }
            if events > 0 && events + as_of.0 > EVENTS_PER_ROUND {
                // The next round looks at the same days.
                return Ok(());
            }
            events += as_of.0;
            // Whatever comes of it, the day waits its turn again if it is found again.
            self.waiting.remove(&day);
            if build(&mut connection, day.project, &day.event_type, day.start).await? {
                metrics::counter!("postings_stored_total").increment(1);
            }
        }
        self.place = due.place;
        if self.place.is_none() {
            let walk = self.walk;
            self.waiting.retain(|_, seen| seen.walk == walk);
            self.walk += 1;
        }
        Ok(())
    }

    /// Whether a day has been like this for long enough.
    fn is_quiet(&mut self, day: &DueDay, as_of: (i64, i64), quiet: Duration) -> bool {
        let (now, walk) = (Instant::now(), self.walk);
        if let Some(seen) = self.waiting.get_mut(day) {
            if seen.as_of != as_of {
                (seen.as_of, seen.since) = (as_of, now);
            }
            seen.walk = walk;
            return seen.since + quiet <= now;
        }
        if !quiet.is_zero() && self.waiting.len() < MOST_WAITING {
            self.waiting.insert(day.clone(), Seen { as_of, since: now, walk });
        }
        quiet.is_zero()
    }
}
