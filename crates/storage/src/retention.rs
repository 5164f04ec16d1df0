//! Letting go of events that are older than their project keeps them.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use uuid::Uuid;

use crate::error::StorageError;
use crate::postings::stored;
use crate::rebuild::lock_books;

/// How long a project keeps its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The project.
    pub project_id: ProjectId,
    /// Where its days begin.
    pub timezone: TimeZone,
    /// How many days; `None`: for ever.
    pub days: Option<u32>,
    /// Whether counts and sets stay when the events go.
    pub keeps_roll_ups: bool,
}

/// What every project wants.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<Retention>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
        #[diesel(sql_type = Text)]
        timezone: String,
        #[diesel(sql_type = Nullable<Integer>)]
        retention_days: Option<i32>,
        #[diesel(sql_type = Bool)]
        keeps_roll_ups: bool,
    }
    let rows: Vec<Row> =
        diesel::sql_query("SELECT id, timezone, retention_days, keeps_roll_ups FROM projects ORDER BY id")
            .load(conn)
            .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Retention {
                project_id: ProjectId(row.id),
                timezone: TimeZone::parse(&row.timezone).map_err(|e| StorageError::Corrupt(e.to_string()))?,
                days: row.retention_days.map(i32::unsigned_abs),
                keeps_roll_ups: row.keeps_roll_ups,
            })
        })
        .collect()
}

/// Notes that a project's events before `cutoff` are about to go, and waits for whoever counts them. What is stored of who
/// did what then goes at once: their counts may stay, so nothing would say that it is old.
///
/// # Errors
/// When the database fails.
pub async fn announce(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    cutoff: DateTime<Utc>,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        lock_books(conn, project).await?;
        diesel::sql_query("UPDATE projects SET events_since = greatest(events_since, $2) WHERE id = $1")
            .bind::<SqlUuid, _>(project.0)
            .bind::<Timestamptz, _>(cutoff)
            .execute(conn)
            .await?;
        stored::delete(conn, project, None, cutoff).await
    })
    .await
}

/// Drops the chunks that end before `cutoff`, whosever events are in them, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn drop_chunks(conn: &mut AsyncPgConnection, cutoff: DateTime<Utc>) -> Result<u64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        chunks: i64,
    }
    conn.transaction(async |conn| {
        let row: Row = diesel::sql_query(
            "SELECT count(*) AS chunks FROM drop_chunks('events', older_than => $1::timestamptz)",
        )
        .bind::<Timestamptz, _>(cutoff)
        .get_result(conn)
        .await?;
        if row.chunks > 0 {
            diesel::sql_query("UPDATE projects SET expiries = expiries + 1").execute(conn).await?;
        }
        Ok(row.chunks.unsigned_abs())
    })
    .await
}

/// Deletes at most `limit` of a project's events before `cutoff`, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn delete_events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    cutoff: DateTime<Utc>,
    limit: i64,
) -> Result<u64, StorageError> {
    conn.transaction(async |conn| {
        let deleted = diesel::sql_query(
            "WITH chosen AS MATERIALIZED
             (SELECT event_id, occurred_at FROM events WHERE project_id = $1 AND occurred_at < $2 LIMIT $3)
         DELETE FROM events USING chosen
         WHERE events.project_id = $1 AND events.event_id = chosen.event_id
           AND events.occurred_at = chosen.occurred_at",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(cutoff)
        .bind::<BigInt, _>(limit)
        .execute(conn)
        .await?;
        if deleted > 0 {
            // Last: appends that make new users wait for this row.
            diesel::sql_query("UPDATE projects SET expiries = expiries + 1 WHERE id = $1")
                .bind::<SqlUuid, _>(project.0)
                .execute(conn)
                .await?;
        }
        Ok(u64::try_from(deleted).unwrap_or(u64::MAX))
    })
    .await
}

/// Deletes a project's counts before `cutoff` and its sets before `day`.
///
/// # Errors
/// When the database fails.
pub async fn delete_roll_ups(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    cutoff: DateTime<Utc>,
    day: NaiveDate,
) -> Result<(), StorageError> {
    diesel::sql_query("DELETE FROM event_counts WHERE project_id = $1 AND bucket < $2")
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(cutoff)
        .execute(conn)
        .await?;
    diesel::sql_query("DELETE FROM activity WHERE project_id = $1 AND day < $2")
        .bind::<SqlUuid, _>(project.0)
        .bind::<Date, _>(day)
        .execute(conn)
        .await?;
    Ok(())
}
