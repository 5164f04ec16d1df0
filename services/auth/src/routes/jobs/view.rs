//! A job as the API shows it.

use chrono::{DateTime, Utc};
use millrace_domain::jobs::{Kind, Progress, Status};
use millrace_storage::jobs::Job;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::download::Files;

/// A job.
#[derive(Serialize, ToSchema)]
pub(super) struct JobView {
    /// Its id.
    id: Uuid,
    /// Its project; `null` for maintenance of the installation.
    project_id: Option<Uuid>,
    /// `import`, `export`, `replay`, `delete_user` or `rebuild`; `retention`, `compaction`, `compression`, `statistics`
    /// or `cleanup` for maintenance.
    #[schema(value_type = String, example = "export")]
    kind: Kind,
    /// `pending`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String, example = "running")]
    status: Status,
    /// What it was told to do. A deleted user's name is taken out.
    #[schema(example = json!({"format": "csv", "compression": "gzip"}))]
    parameters: Value,
    /// How far it is.
    progress: ProgressView,
    /// The account that wanted it; `null`: the system.
    created_by: Option<Uuid>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it was first worked on.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// How often it was tried since it last came further.
    attempts: u32,
    /// What came of it; docs/jobs.md has it for each kind.
    result: Option<Value>,
    /// What went wrong last.
    error: Option<String>,
    /// Where its files are, once there are any.
    #[schema(example = "/api/v1/jobs/0199a0de-7a8e-7c3e-8f5e-3c1a52d5a7b1/download")]
    download: Option<String>,
}

/// How far a job is, in units of its kind: rows, days.
#[derive(Serialize, ToSchema)]
struct ProgressView {
    /// What is done.
    done: u64,
    /// All that is to be done, once it is known.
    total: Option<u64>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let Progress { done, total } = job.progress;
        let files = Files::of(&job);
        Self {
            id: job.id.0,
            project_id: job.project_id.map(|id| id.0),
            kind: job.kind,
            status: job.status,
            parameters: job.parameters,
            progress: ProgressView { done, total },
            created_by: job.created_by.map(|id| id.0),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            attempts: job.attempts,
            result: job.result,
            error: job.error,
            download: files.is_some().then(|| format!("/api/v1/jobs/{}/download", job.id)),
        }
    }
}

/// Jobs.
#[derive(Serialize, ToSchema)]
pub(super) struct JobList {
    /// Newest first.
    pub(super) data: Vec<JobView>,
    /// Where the next page begins; `null` after the last.
    pub(super) next_cursor: Option<String>,
}
