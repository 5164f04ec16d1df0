//! Jobs: what waits, what runs, what became of what ran.
//!
//! Whoever takes a job holds it for a while and says now and then that it goes on. Each attempt has a holder id of its
//! own, and nothing is written for a job without it: a worker that was cut off for so long that another took over
//! finds that its words do not count. Times are the database's, whatever the workers' clocks say.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, JobId, ProjectId};
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{JobNews, Kind, Progress, Status};
use serde_json::Value;

use crate::error::StorageError;

mod files;
pub mod holding;
mod row;

pub use files::{files_are_gone, with_files, with_old_files};
use row::{COLUMNS, Row, parse, parse_one};

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The project it belongs to; `None` for maintenance.
    pub project_id: Option<ProjectId>,
    /// What it is to do.
    pub kind: Kind,
    /// How exactly: see [`Task::parse`]. A deleted user's job forgets whom it deleted.
    pub parameters: Value,
    /// How far it is.
    pub status: Status,
    /// Who wanted it; `None`: the system, or whoever runs it.
    pub created_by: Option<AccountId>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was first worked on.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// How often it was tried since it last came further.
    pub attempts: u32,
    /// How far it is, in numbers.
    pub progress: Progress,
    /// Where it goes on.
    pub checkpoint: Option<Value>,
    /// What came of it.
    pub result: Option<Value>,
    /// What went wrong last.
    pub error: Option<String>,
}

impl Job {
    /// What it tells of itself.
    #[must_use]
    pub fn news(&self) -> JobNews {
        let Self { id, kind, status, progress, .. } = *self;
        JobNews { id, kind, status, progress, error: self.error.clone().filter(|_| status == Status::Failed) }
    }
}

/// Notes a job, to be worked on at once. `id` is the caller's choice, so that files can be stored under it before.
///
/// # Errors
/// [`StorageError::Missing`] when the project does not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    id: JobId,
    project: Option<ProjectId>,
    task: &Task,
    created_by: Option<AccountId>,
) -> Result<Job, StorageError> {
    let sql = format!(
        "INSERT INTO jobs (id, project_id, kind, parameters, created_by) VALUES ($1, $2, $3, $4, $5)
         RETURNING {COLUMNS}"
    );
    let row: Row = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(id.0)
        .bind::<Nullable<SqlUuid>, _>(project.map(|id| id.0))
        .bind::<Text, _>(task.kind().as_str())
        .bind::<Jsonb, _>(task.parameters())
        .bind::<Nullable<SqlUuid>, _>(created_by.map(|id| id.0))
        .get_result(conn)
        .await?;
    row.try_into()
}

/// Notes maintenance for a slot of its schedule, unless another replica did, or the kind has a job that has not ended.
///
/// # Errors
/// When the database fails.
pub async fn schedule(conn: &mut AsyncPgConnection, kind: Kind, slot: &str) -> Result<bool, StorageError> {
    let noted = diesel::sql_query(
        "INSERT INTO jobs (id, kind, parameters, slot)
         SELECT $1, $2, '{}'::jsonb, $3 WHERE NOT EXISTS
             (SELECT FROM jobs WHERE kind = $2 AND status IN ('pending', 'running') AND project_id IS NULL)
         ON CONFLICT (slot) DO NOTHING",
    )
    .bind::<SqlUuid, _>(JobId::new().0)
    .bind::<Text, _>(kind.as_str())
    .bind::<Text, _>(slot)
    .execute(conn)
    .await?;
    Ok(noted > 0)
}

/// A job by its id, whosever it is: the caller must look whether whoever asks may see it.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut AsyncPgConnection, id: JobId) -> Result<Option<Job>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
    parse_one(diesel::sql_query(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()?)
}

/// Jobs to look for; all of what is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this project.
    pub project: Option<ProjectId>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// With this status.
    pub status: Option<Status>,
}

/// At most `limit` jobs of those `before` another, newest first.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    filter: Filter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Job>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE ($1::uuid IS NULL OR project_id = $1) AND ($2::text IS NULL OR kind = $2)
           AND ($3::text IS NULL OR status = $3)
           AND ($4::uuid IS NULL OR id < $4)
         ORDER BY id DESC LIMIT $5"
    );
    let rows = diesel::sql_query(sql)
        .bind::<Nullable<SqlUuid>, _>(filter.project.map(|id| id.0))
        .bind::<Nullable<Text>, _>(filter.kind.map(Kind::as_str))
        .bind::<Nullable<Text>, _>(filter.status.map(Status::as_str))
        .bind::<Nullable<SqlUuid>, _>(before.map(|id| id.0))
        .bind::<BigInt, _>(i64::from(limit))
        .load(conn)
        .await?;
    parse(rows)
}

/// Stops a job: at once if nobody works on it; otherwise whoever does hears of it within moments. `None` when it had
/// ended before.
///
/// # Errors
/// When the database fails.
pub async fn cancel(conn: &mut AsyncPgConnection, id: JobId) -> Result<Option<Job>, StorageError> {
    let sql = format!(
        "UPDATE jobs SET cancelling = true,
             status = CASE status WHEN 'pending' THEN 'cancelled' ELSE status END,
             finished_at = CASE status WHEN 'pending' THEN now() END
         WHERE id = $1 AND status IN ('pending', 'running') RETURNING {COLUMNS}"
    );
    parse_one(diesel::sql_query(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()?)
}

/// Lets a job that failed or was cancelled go on where it ended. `None` when it is not one of those.
///
/// # Errors
/// When the database fails.
pub async fn resume(conn: &mut AsyncPgConnection, id: JobId) -> Result<Option<Job>, StorageError> {
    let sql = format!(
        "UPDATE jobs SET status = 'pending', cancelling = false, attempts = 0, due_at = now(), finished_at = NULL,
             error = NULL
         WHERE id = $1 AND status IN ('failed', 'cancelled') RETURNING {COLUMNS}"
    );
    parse_one(diesel::sql_query(sql).bind::<SqlUuid, _>(id.0).get_result(conn).await.optional()?)
}

/// Takes a user's name out of what jobs of the project were told, `but` for one: the job that deletes the user must know
/// whom until it is done.
///
/// # Errors
/// When the database fails.
pub async fn forget_user(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: &str,
    but: JobId,
) -> Result<(), StorageError> {
    diesel::sql_query(
        "UPDATE jobs SET parameters = parameters || '{\"user_id\": null}'
         WHERE project_id = $1 AND parameters ->> 'user_id' = $2 AND id <> $3",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Text, _>(user)
    .bind::<SqlUuid, _>(but.0)
    .execute(conn)
    .await?;
    Ok(())
}
