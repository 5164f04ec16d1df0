//! What keeps the installation in good order: sets merged, statistics up to date, old chunks compressed, old files gone.

use std::time::Duration;

use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::{Kind, Progress, Report};
use millrace_storage::alerts::history;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::jobs::{self, Job};
use millrace_storage::{compaction, dashboard_shares, maintenance};
use serde_json::{Value, json};

use crate::jobs::error::JobError;
use crate::jobs::{Tools, Work};

/// Chunks are compressed once nothing much comes into them any more.
const COMPRESSED_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long it can be seen when an alert fired.
const ALERTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long it can be seen that there was a link.
const LINKS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Rows that are deleted in one transaction.
const BATCH: u32 = 1_000;
/// How long it can be seen what maintenance did.
const JOBS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Does one kind of maintenance.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work, kind: Kind) -> Result<Report, JobError> {
    match kind {
        Kind::Compaction => compact(work).await,
        Kind::Statistics => {
            let mut conn = work.tools.connection().await?;
            maintenance::analyze(&mut conn).await?;
            Ok(json!({"analyzed": ["events", "users", "event_counts", "activity"]}))
        }
        Kind::Compression => compress(work).await,
        Kind::Cleanup => clean_up(work).await,
        other => Err(JobError::Failed(format!("{other} is no maintenance"))),
    }
}

async fn compact(work: &Work) -> Result<Report, JobError> {
    let mut sets = 0;
    loop {
        let mut conn = work.tools.connection().await?;
        let merged = compaction::compact(&mut conn, 500).await?;
        drop(conn);
        if merged == 0 {
            return Ok(json!({"sets_merged": sets}));
        }
        sets += u64::try_from(merged).unwrap_or(u64::MAX);
        work.note(&Value::Null, Progress { done: sets, total: None }).await?;
    }
}

async fn compress(work: &Work) -> Result<Report, JobError> {
    let mut conn = work.tools.connection().await?;
    let edition = maintenance::edition(&mut conn).await?;
    if edition != "timescale" {
        return Ok(json!({
            "skipped": format!("this is the {edition} edition of TimescaleDB, which cannot compress"),
        }));
    }
    maintenance::allow_compression(&mut conn).await?;
    let chunks = maintenance::old_chunks(&mut conn, COMPRESSED_AFTER).await?;
    let total = u64::try_from(chunks.len()).unwrap_or(u64::MAX);
    for (done, chunk) in (1..).zip(&chunks) {
        maintenance::compress(&mut conn, chunk).await?;
        work.hold.note(&Value::Null, Progress { done, total: Some(total) }).write(&mut conn).await?;
    }
    Ok(json!({"chunks_compressed": total}))
}

async fn clean_up(work: &Work) -> Result<Report, JobError> {
    let mut conn = work.tools.connection().await?;
    let forgotten = maintenance::delete_old_jobs(&mut conn, JOBS_KEPT).await?;
    let mut cleaned = 0;
    while work.tools.files.is_some() {
        let old = jobs::with_old_files(&mut conn, work.tools.settings.files_kept, 100).await?;
        if old.is_empty() {
            break;
        }
        for job in old {
            delete_files(&work.tools, &mut conn, &job).await?;
            cleaned += 1;
        }
        work.hold.note(&Value::Null, Progress { done: cleaned, total: None }).write(&mut conn).await?;
    }
    let events =
        all_of(work, &mut conn, async |conn| history::forget(conn, ALERTS_KEPT, BATCH).await).await?;
    let links =
        all_of(work, &mut conn, async |conn| dashboard_shares::forget(conn, LINKS_KEPT, BATCH).await).await?;
    Ok(json!({
        "jobs_without_files": cleaned, "jobs_forgotten": forgotten, "alert_events_forgotten": events,
        "links_forgotten": links,
    }))
}

/// Forgets batch by batch until nothing is left to forget, and says how much there was.
async fn all_of(
    work: &Work,
    conn: &mut Connection,
    forget: impl AsyncFn(&mut Connection) -> Result<u64, StorageError>,
) -> Result<u64, JobError> {
    let mut forgotten = 0;
    loop {
        let gone = forget(conn).await?;
        if gone == 0 {
            return Ok(forgotten);
        }
        forgotten += gone;
        work.hold.note(&Value::Null, Progress { done: forgotten, total: None }).write(conn).await?;
    }
}

/// The folder of what was sent with a job of a project, or written by it.
pub(super) fn import_folder(project: ProjectId, job: &Job) -> String {
    format!("imports/{project}/{}", job.id)
}

/// Deletes the files of a job, and notes that they are gone.
pub(super) async fn delete_files(tools: &Tools, conn: &mut Connection, job: &Job) -> Result<(), JobError> {
    if let (Some(files), Some(project)) = (&tools.files, job.project_id) {
        files.delete_folder(&format!("exports/{project}/{}", job.id)).await?;
        files.delete_folder(&import_folder(project, job)).await?;
    }
    Ok(jobs::files_are_gone(conn, job.id).await?)
}
