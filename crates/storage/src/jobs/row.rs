//! A row of `jobs`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use millrace_domain::ids::{AccountId, JobId, ProjectId};
use millrace_domain::jobs::Progress;
use serde_json::Value;
use uuid::Uuid;

use super::Job;
use crate::error::StorageError;

/// The columns of [`Row`].
pub(super) const COLUMNS: &str = "id, project_id, kind, parameters, status, created_by, created_at, started_at, finished_at, \
                       attempts, done, total, checkpoint, result, error";

#[derive(QueryableByName)]
pub(super) struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    project_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Jsonb)]
    parameters: Value,
    #[diesel(sql_type = Text)]
    status: String,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    created_by: Option<Uuid>,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    started_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    finished_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Integer)]
    attempts: i32,
    #[diesel(sql_type = BigInt)]
    done: i64,
    #[diesel(sql_type = Nullable<BigInt>)]
    total: Option<i64>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    checkpoint: Option<Value>,
    #[diesel(sql_type = Nullable<Jsonb>)]
    result: Option<Value>,
    #[diesel(sql_type = Nullable<Text>)]
    error: Option<String>,
}

impl TryFrom<Row> for Job {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let corrupt = |error: &dyn std::fmt::Display| StorageError::Corrupt(format!("a job: {error}"));
        Ok(Self {
            id: JobId(row.id),
            project_id: row.project_id.map(ProjectId),
            kind: row.kind.parse().map_err(|e| corrupt(&e))?,
            parameters: row.parameters,
            status: row.status.parse().map_err(|e| corrupt(&e))?,
            created_by: row.created_by.map(AccountId),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            attempts: row.attempts.unsigned_abs(),
            progress: Progress { done: row.done.unsigned_abs(), total: row.total.map(i64::unsigned_abs) },
            checkpoint: row.checkpoint,
            result: row.result,
            error: row.error,
        })
    }
}

pub(super) fn parse(rows: Vec<Row>) -> Result<Vec<Job>, StorageError> {
    rows.into_iter().map(Job::try_from).collect()
}

pub(super) fn parse_one(row: Option<Row>) -> Result<Option<Job>, StorageError> {
    row.map(Job::try_from).transpose()
}
