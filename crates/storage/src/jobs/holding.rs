//! Taking a job in hand, and what whoever holds it writes. Every function that writes tells whether the job is still held: whoever does not hold it has
//! written nothing, and must undo the rest of its transaction.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Double, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::JobId;
use millrace_domain::jobs::{Kind, Progress, Status};
use serde_json::Value;
use uuid::Uuid;

use super::Job;
use super::row::{COLUMNS, parse_one};
use crate::error::StorageError;

/// Who holds which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub holder: Uuid,
}

/// What became of the hold on a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It goes on.
    Yes,
    /// It goes on, and somebody wants the job to stop.
    Cancelling,
    /// Somebody else has it, or it is gone.
    No,
}

/// Takes the job in hand that is due longest, for as long as `lease`; nobody else does in that time.
///
/// # Errors
/// When the database fails.
pub async fn take(
    conn: &mut AsyncPgConnection,
    holder: Uuid,
    lease: Duration,
) -> Result<Option<Job>, StorageError> {
    let exclusive: Vec<&str> =
        Kind::ALL.iter().filter(|kind| kind.is_exclusive()).map(|kind| kind.as_str()).collect();
    conn.transaction(async |conn| {
        // One at a time: two that look at once must not both find that nobody works on the project.
        diesel::sql_query("SELECT pg_advisory_xact_lock(7205759403792793604)").execute(conn).await?;
        let sql = format!(
            "UPDATE jobs SET status = 'running', holder = $1, due_at = now() + make_interval(secs => $2),
                 attempts = attempts + 1, started_at = coalesce(started_at, now())
             WHERE id = (SELECT id FROM jobs AS due
                 WHERE status IN ('pending', 'running') AND due_at <= now() AND NOT (kind = ANY($3) AND EXISTS
                     (SELECT FROM jobs AS held WHERE held.project_id = due.project_id AND held.kind = ANY($3)
                         AND held.status = 'running' AND held.due_at > now()))
                 ORDER BY due_at, id LIMIT 1)
               -- Whoever holds it may have said so just now.
               AND status IN ('pending', 'running') AND due_at <= now()
             RETURNING {COLUMNS}"
        );
        let row = diesel::sql_query(sql)
            .bind::<SqlUuid, _>(holder)
            .bind::<Double, _>(lease.as_secs_f64())
            .bind::<Array<Text>, _>(exclusive)
            .get_result(conn)
            .await
            .optional()?;
        parse_one(row)
    })
    .await
}

#[derive(QueryableByName)]
struct Cancelling {
    #[diesel(sql_type = Bool)]
    cancelling: bool,
}

/// Holds the job for another `lease`.
///
/// # Errors
/// When the database fails.
pub async fn renew(
    conn: &mut AsyncPgConnection,
    held: Holding,
    lease: Duration,
) -> Result<Held, StorageError> {
    let row: Option<Cancelling> = diesel::sql_query(
        "UPDATE jobs SET due_at = now() + make_interval(secs => $3)
         WHERE id = $1 AND holder = $2 AND status = 'running' RETURNING cancelling",
    )
    .bind::<SqlUuid, _>(held.job.0)
    .bind::<SqlUuid, _>(held.holder)
    .bind::<Double, _>(lease.as_secs_f64())
    .get_result(conn)
    .await
    .optional()?;
    Ok(match row {
        Some(Cancelling { cancelling: true }) => Held::Cancelling,
        Some(_) => Held::Yes,
        None => Held::No,
    })
}

/// What is noted with what was done.
#[derive(Clone, Copy, Debug)]
pub struct Note<'a> {
    /// For which job.
    pub held: Holding,
    /// Where the next attempt goes on.
    pub checkpoint: &'a Value,
    /// How far the job is.
    pub progress: Progress,
}

impl Note<'_> {
    /// Writes it, best in the transaction of what was done.
    ///
    /// # Errors
    /// [`StorageError::NotHeld`], which must undo the transaction.
    pub async fn write(&self, conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
        let Progress { done, total } = self.progress;
        let written = diesel::sql_query(
            "UPDATE jobs SET checkpoint = $3, done = $4, total = $5, attempts = 1, error = NULL
             WHERE id = $1 AND holder = $2 AND status = 'running'",
        )
        .bind::<SqlUuid, _>(self.held.job.0)
        .bind::<SqlUuid, _>(self.held.holder)
        .bind::<Jsonb, _>(self.checkpoint)
        .bind::<BigInt, _>(i64::try_from(done).unwrap_or(i64::MAX))
        .bind::<Nullable<BigInt>, _>(total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)))
        .execute(conn)
        .await?;
        if written > 0 { Ok(()) } else { Err(StorageError::NotHeld) }
    }
}

/// Ends the job. One that has deleted a user forgets whom.
///
/// # Errors
/// When the database fails.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    held: Holding,
    status: Status,
    result: Option<&Value>,
    error: Option<&str>,
) -> Result<bool, StorageError> {
    let written = diesel::sql_query(
        "UPDATE jobs SET status = $3, result = coalesce($4, result), error = $5, finished_at = now(), holder = NULL,
             parameters = CASE WHEN kind = 'delete_user' AND $3 = 'succeeded'
                 THEN parameters || '{\"user_id\": null}' ELSE parameters END
         WHERE id = $1 AND holder = $2 AND status = 'running'",
    )
    .bind::<SqlUuid, _>(held.job.0)
    .bind::<SqlUuid, _>(held.holder)
    .bind::<Text, _>(status.as_str())
    .bind::<Nullable<Jsonb>, _>(result)
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(written > 0)
}

/// Puts the job back, to be tried again after `wait`.
///
/// # Errors
/// When the database fails.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    held: Holding,
    wait: Duration,
    error: Option<&str>,
) -> Result<bool, StorageError> {
    let written = diesel::sql_query(
        "UPDATE jobs SET status = 'pending', holder = NULL, due_at = now() + make_interval(secs => $3),
             error = coalesce($4, error), attempts = CASE WHEN $4 IS NULL THEN attempts - 1 ELSE attempts END
         WHERE id = $1 AND holder = $2 AND status = 'running'",
    )
    .bind::<SqlUuid, _>(held.job.0)
    .bind::<SqlUuid, _>(held.holder)
    .bind::<Double, _>(wait.as_secs_f64())
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(written > 0)
}
