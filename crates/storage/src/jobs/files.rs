//! The files that jobs have read and written, after the jobs have ended.

use std::time::Duration;

use diesel::sql_types::{BigInt, Double, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{JobId, ProjectId};

use super::Job;
use super::row::{COLUMNS, parse};
use crate::error::StorageError;

/// The jobs that ended longer than `age` ago and whose files are still there.
///
/// # Errors
/// When the database fails.
pub async fn with_old_files(
    conn: &mut AsyncPgConnection,
    age: Duration,
    limit: u16,
) -> Result<Vec<Job>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE kind IN ('import', 'export') AND status IN ('succeeded', 'failed', 'cancelled')
           AND finished_at < now() - make_interval(secs => $1) AND NOT coalesce(result ? 'files_deleted_at', false)
         ORDER BY finished_at LIMIT $2"
    );
    let rows = diesel::sql_query(sql)
        .bind::<Double, _>(age.as_secs_f64())
        .bind::<BigInt, _>(i64::from(limit))
        .load(conn)
        .await?;
    parse(rows)
}

/// The jobs of a project that ended and whose files are still there.
///
/// # Errors
/// When the database fails.
pub async fn with_files(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    limit: u16,
) -> Result<Vec<Job>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE project_id = $1 AND kind IN ('import', 'export') AND status IN ('succeeded', 'failed', 'cancelled')
           AND NOT coalesce(result ? 'files_deleted_at', false)
         ORDER BY id LIMIT $2"
    );
    let rows = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(project.0)
        .bind::<BigInt, _>(i64::from(limit))
        .load(conn)
        .await?;
    parse(rows)
}

/// Notes that a job's files are gone.
///
/// # Errors
/// When the database fails.
pub async fn files_are_gone(conn: &mut AsyncPgConnection, id: JobId) -> Result<(), StorageError> {
    diesel::sql_query(
        "UPDATE jobs SET checkpoint = NULL,
             result = coalesce(result, '{}') || jsonb_build_object('files_deleted_at', to_json(now()))
         WHERE id = $1",
    )
    .bind::<SqlUuid, _>(id.0)
    .execute(conn)
    .await?;
    Ok(())
}
