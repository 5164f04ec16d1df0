//! Deleting a user: what is stored of theirs goes, what is counted of theirs is taken off the counts. Stored
//! postings that have them in it go with their events, and are made anew from those of the others.
//!
//! Events carry the number of their user, which an append looks up before it inserts. Whoever deletes must not come
//! between the two, or events would be stored under a number that is nobody's. So every append holds its numbers, all
//! of them together, from before it looks them up until it has committed; whoever deletes a user waits until no append
//! holds any, for the moment that it takes to delete one row. An append that begins after that finds no such user and
//! makes a new one, with a number that nobody had.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::jobs::Progress;
use serde_json::Value;
use tokio_postgres::Client;

use crate::error::StorageError;
use crate::jobs::holding::{Holding, Note};
use crate::postings::stored::stop_storing;

/// Holds the numbers of users for one append; the lock goes with the connection.
pub(crate) async fn hold_numbers(client: &Client) -> Result<(), StorageError> {
    Ok(client.batch_execute("SELECT pg_advisory_lock_shared(7205759403792793603)").await?)
}

/// Lets them go.
pub(crate) async fn release_numbers(client: &Client) -> Result<(), StorageError> {
    Ok(client.batch_execute("SELECT pg_advisory_unlock_shared(7205759403792793603)").await?)
}

/// Waits, in this transaction, until no append is under way, and keeps others from beginning.
///
/// # Errors
/// [`StorageError::Unavailable`] when that takes longer than appends can be kept waiting.
pub(crate) async fn stop_appends(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    conn.batch_execute("SET LOCAL lock_timeout = '5s'").await?;
    let locked = conn.batch_execute("SELECT pg_advisory_xact_lock(7205759403792793603)").await;
    locked.map_err(|error| StorageError::Unavailable(format!("appends take long: {error}")))
}

/// Deletes a user's row, so that whatever comes of theirs from now on is of a new user, and notes the number that they
/// had. `None` when there is no such user.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn delete_row(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: &str,
    held: Holding,
    checkpoint: impl Fn(Option<UserNo>) -> Value + Send + Sync,
) -> Result<Option<UserNo>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        user_no: i32,
    }
    conn.transaction(async |conn| {
        stop_appends(conn).await?;
        let row: Option<Row> =
            diesel::sql_query("DELETE FROM users WHERE project_id = $1 AND user_id = $2 RETURNING user_no")
                .bind::<SqlUuid, _>(project.0)
                .bind::<Text, _>(user)
                .get_result(conn)
                .await
                .optional()?;
        let number = row.map(|row| UserNo::try_from(row.user_no)).transpose();
        let number = number.map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
        let checkpoint = checkpoint(number);
        Note { held, checkpoint: &checkpoint, progress: Progress::default() }.write(conn).await?;
        Ok(number)
    })
    .await
}

/// Some of a user's events that were deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// How many.
    pub events: u64,
    /// When the first and the last of them occurred.
    pub between: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// Deletes at most `limit` of a user's events, the oldest first, takes them off the counts, and notes what `note` makes
/// of it, in one transaction: a count of nothing that stayed behind would be found by nobody.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn delete_events(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
    limit: i64,
    held: Holding,
    note: impl Fn(&Deleted) -> (Value, Progress) + Send + Sync,
) -> Result<Deleted, StorageError> {
    conn.transaction(async |conn| {
        stop_storing(conn, project).await?;
        let deleted = take_off(conn, project, user, limit).await?;
        if let Some((first, last)) = deleted.between {
            sweep_counts(conn, project, first, last).await?;
        }
        let (checkpoint, progress) = note(&deleted);
        Note { held, checkpoint: &checkpoint, progress }.write(conn).await?;
        Ok(deleted)
    })
    .await
}

async fn take_off(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
    limit: i64,
) -> Result<Deleted, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        events: i64,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        first: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        last: Option<DateTime<Utc>>,
    }
    let user = i32::try_from(user).map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
    // In the order in which appends write counts, so that the two cannot wait for each other. The counts of events that
    // were dropped with their chunk stay: nobody is in a count.
    let row: Row = diesel::sql_query(
        "WITH chosen AS MATERIALIZED
             (SELECT event_id, occurred_at FROM events WHERE project_id = $1 AND user_no = $2
              ORDER BY occurred_at LIMIT $3),
         gone AS
             (DELETE FROM events USING chosen
              WHERE events.project_id = $1 AND events.event_id = chosen.event_id
                AND events.occurred_at = chosen.occurred_at
              RETURNING events.event_type, events.occurred_at),
         less AS
             (INSERT INTO event_counts (project_id, bucket, event_type, count)
              SELECT $1, time_bucket('15 minutes', occurred_at) AS bucket, event_type, -count(*) FROM gone
              GROUP BY bucket, event_type ORDER BY bucket, event_type COLLATE \"C\"
              ON CONFLICT (project_id, bucket, event_type)
              DO UPDATE SET count = event_counts.count + excluded.count),
         unsaid AS
             (DELETE FROM postings USING
                  (SELECT DISTINCT event_type, (occurred_at AT TIME ZONE 'UTC')::date AS day FROM gone) AS days
              WHERE postings.project_id = $1 AND postings.event_type = days.event_type AND postings.day = days.day)
         SELECT count(*) AS events, min(occurred_at) AS first, max(occurred_at) AS last FROM gone",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Integer, _>(user)
    .bind::<BigInt, _>(limit)
    .get_result(conn)
    .await?;
    Ok(Deleted { events: row.events.unsigned_abs(), between: row.first.zip(row.last) })
}

/// Removes counts of nothing: a bucket without events has no row.
pub(crate) async fn sweep_counts(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::sql_query(
        "DELETE FROM event_counts WHERE project_id = $1 AND bucket > $2::timestamptz - INTERVAL '15 minutes' AND bucket <= $3
             AND count = 0",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Timestamptz, _>(first)
    .bind::<Timestamptz, _>(last)
    .execute(conn)
    .await?;
    Ok(())
}
