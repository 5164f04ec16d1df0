//! Letting go of events that are older than their project keeps them.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
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
        stored::delete(conn, project, Some(cutoff)).await
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

/// How far a deletion has come, in the order of `events_by_type`.
#[derive(Clone, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Mark {
    #[diesel(sql_type = Text)]
    event_type: String,
    #[diesel(sql_type = Timestamptz)]
    occurred_at: DateTime<Utc>,
    #[diesel(sql_type = BigInt)]
    events: i64,
}

impl Mark {
    /// How many events went with the last step.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events.unsigned_abs()
    }
}

/// Deletes at most `limit` of a project's events before `cutoff` from a mark on, and returns the next; `None` when there
/// are none. Each step goes on in the index where the one before it ended: from its beginning, it would come past
/// everything that was deleted and everything that stays, again and again.
///
/// # Errors
/// When the database fails.
pub async fn delete_events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    cutoff: DateTime<Utc>,
    from: &Mark,
    limit: i64,
) -> Result<Option<Mark>, StorageError> {
    conn.transaction(async |conn| {
        // Or it reads all there is and sorts that where it believes there is little.
        conn.batch_execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off").await?;
        let mark = diesel::sql_query(
            "WITH chosen AS MATERIALIZED
                 (SELECT event_id, event_type, occurred_at FROM events
                  WHERE project_id = $1 AND occurred_at < $2 AND (event_type, occurred_at) >= ($3, $4)
                  ORDER BY event_type, occurred_at LIMIT $5),
             gone AS
                 (DELETE FROM events USING chosen
                  WHERE events.project_id = $1 AND events.event_id = chosen.event_id
                    AND events.occurred_at = chosen.occurred_at
                  RETURNING 1)
             SELECT event_type, occurred_at, (SELECT count(*) FROM gone) AS events
             FROM chosen ORDER BY event_type DESC, occurred_at DESC LIMIT 1",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(cutoff)
        .bind::<Text, _>(&from.event_type)
        .bind::<Timestamptz, _>(from.occurred_at)
        .bind::<BigInt, _>(limit)
        .get_result(conn)
        .await
        .optional()?;
        if mark.is_some() {
            // Last: appends that make new users wait for this row.
            diesel::sql_query("UPDATE projects SET expiries = expiries + 1 WHERE id = $1")
                .bind::<SqlUuid, _>(project.0)
                .execute(conn)
                .await?;
        }
        Ok(mark)
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
