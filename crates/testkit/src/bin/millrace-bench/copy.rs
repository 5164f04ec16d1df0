//! The peer of ingest: PostgreSQL's own COPY of the same rows into an identical table with the same indexes, over one
//! connection. It checks nothing, recognises no repetition and counts nothing; no way in is faster.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, TryStreamExt};
use millrace_testkit::database::TestDatabase;

const PEER_TABLE: &str = "\
    CREATE TABLE copied (LIKE events INCLUDING DEFAULTS);
    SELECT create_hypertable('copied', by_range('occurred_at', INTERVAL '7 days'), create_default_indexes => false);
    CREATE UNIQUE INDEX ON copied (project_id, event_id, occurred_at);
    CREATE INDEX ON copied (project_id, event_type, occurred_at);
    CREATE INDEX ON copied (project_id, user_no, occurred_at);";

/// Copies the stored events and returns how long PostgreSQL took to take them in.
pub async fn time_copy(database: &TestDatabase) -> anyhow::Result<Duration> {
    let client = database.client().await;
    client.batch_execute(PEER_TABLE).await?;
    // Read out first, so that only the way in is timed; in the order they were stored, as a client would send them.
    let out =
        client.copy_out("COPY (SELECT * FROM events ORDER BY stream_seq) TO STDOUT (FORMAT binary)").await?;
    let rows: Vec<_> = out.try_collect().await?;
    let started = Instant::now();
    let sink = client.copy_in("COPY copied FROM STDIN (FORMAT binary)").await?;
    let mut sink = std::pin::pin!(sink);
    for chunk in rows {
        sink.feed(chunk).await?;
    }
    sink.finish().await?;
    Ok(started.elapsed())
}
