//! What the database itself needs now and then.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Bool, Double, Nullable, Text};
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

/// The chunks of events that are older than `age`, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn old_chunks(conn: &mut AsyncPgConnection, age: Duration) -> Result<Vec<String>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        chunk: String,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT format('%I.%I', chunk_schema, chunk_name) AS chunk FROM timescaledb_information.chunks
         WHERE hypertable_name = 'events' AND range_end < now() - make_interval(secs => $1) ORDER BY range_start",
    )
    .bind::<Double, _>(age.as_secs_f64())
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.chunk).collect())
}

/// Lets chunks of events be compressed. For the edition `timescale` alone.
///
/// # Errors
/// When the database fails.
pub async fn allow_compression(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        compression_enabled: bool,
    }
    let events: Row = diesel::sql_query(
        "SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = 'events'",
    )
    .get_result(conn)
    .await?;
    if events.compression_enabled {
        return Ok(());
    }
    let allow = "ALTER TABLE events SET (timescaledb.compress, timescaledb.compress_segmentby = 'project_id, event_type',
                     timescaledb.compress_orderby = 'occurred_at')";
    Ok(conn.batch_execute(allow).await?)
}

/// Compresses a chunk, or what came into it since it was, in a transaction of its own. For the edition `timescale` alone.
///
/// # Errors
/// When the database fails.
pub async fn compress(conn: &mut AsyncPgConnection, chunk: &str) -> Result<(), StorageError> {
    diesel::sql_query("SELECT compress_chunk($1::regclass, if_not_compressed => true)")
        .bind::<Text, _>(chunk)
        .execute(conn)
        .await?;
    Ok(())
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
