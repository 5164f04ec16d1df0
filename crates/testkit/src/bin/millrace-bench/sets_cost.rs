//! What it costs to keep the sets of active users: the same events stored with them and without, with the parts of sets
//! being merged meanwhile as a worker does.

use std::time::Duration;

use millrace_storage::compaction::compact;
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::story;

use crate::population::{lead_in, store};
use crate::report::{Limit, Report, median};

const EVENTS: u64 = 1_000_000;
const USERS: u64 = 100_000;
const ROUNDS: usize = 3;
/// As often as a worker does.
const COMPACT_INTERVAL: Duration = Duration::from_secs(5);

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let (mut with, mut without, mut losses) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (kept, left_out) = (rate(true).await?, rate(false).await?);
        losses.push(100.0 * (1.0 - kept / left_out));
        with.push(kept);
        without.push(left_out);
    }
    report.compare("stored with sets, median", median(with), "events/s", "without sets", median(without));
    report.hold("lost to keeping the sets, median", median(losses), "%", Limit::Below(25.0));
    Ok(())
}

/// Events a second.
async fn rate(sets: bool) -> anyhow::Result<f64> {
    let database = TestDatabase::create().await;
    let project = story::project(&database.url(), "UTC").await;
    let pool = Database::new(&database.url(), PoolSettings::named("bench"))?;
    let merging = async {
        loop {
            tokio::time::sleep(COMPACT_INTERVAL).await;
            while compact(&mut *pool.connection().await?, 500).await? > 0 {}
        }
    };
    let url = database.url();
    let took: Duration = tokio::select! {
        took = store(&url, project, EVENTS, USERS, sets) => took?,
        ended = merging => return ended,
    };
    Ok((EVENTS + lead_in(EVENTS)) as f64 / took.as_secs_f64())
}
