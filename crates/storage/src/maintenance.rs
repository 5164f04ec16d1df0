//! What the database itself needs now and then.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Double, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};

use crate::error::StorageError;

/// Lets the planner learn how events and roll-ups are distributed.
///
/// # Errors
/// When the database fails.
pub async fn analyze(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    Ok(conn.batch_execute("ANALYZE events, users, event_counts, activity").await?)
}

/// Which edition of TimescaleDB it is: `timescale` can compress, `apache` cannot.
///
/// # Errors
/// When the database fails.
pub async fn edition(conn: &mut AsyncPgConnection) -> Result<String, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Text>)]
        license: Option<String>,
    }
    let row: Row = diesel::sql_query("SELECT current_setting('timescaledb.license', true) AS license")
        .get_result(conn)
        .await?;
    Ok(row.license.unwrap_or_else(|| "apache".to_owned()))
}

/// Compresses the chunks of events that are older than `age`, and returns how many it compressed. For the edition
/// `timescale` alone.
///
/// # Errors
/// When the database fails; what was compressed stays compressed.
pub async fn compress(conn: &mut AsyncPgConnection, age: Duration) -> Result<u64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        chunks: i64,
    }
    conn.batch_execute(
        "ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'project_id, event_type',
             timescaledb.compress_orderby = 'occurred_at')",
    )
    .await?;
    let row: Row = diesel::sql_query(
        "SELECT count(compress_chunk(chunk, if_not_compressed => true)) AS chunks
         FROM show_chunks('events', older_than => make_interval(secs => $1)) AS chunk",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .get_result(conn)
    .await?;
    Ok(row.chunks.unsigned_abs())
}

/// Deletes what is left of maintenance that ended longer than `age` ago.
///
/// # Errors
/// When the database fails.
pub async fn delete_old_jobs(conn: &mut AsyncPgConnection, age: Duration) -> Result<u64, StorageError> {
    let deleted = diesel::sql_query(
        "DELETE FROM jobs WHERE project_id IS NULL AND finished_at < now() - make_interval(secs => $1)",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .execute(conn)
    .await?;
    Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
}
