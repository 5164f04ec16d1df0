//! Events from a file.
//!
//! A thread reads the file and turns rows into events ([`reading`]); batches of them go to the log, several at a time,
//! as those that are sent do, so that they are enriched, refused and counted like all others. A batch is noted once its
//! events are stored. A row without an id gets one from its place and its content, so what is read again after a kill,
//! or sent again by somebody, is stored once.

mod reading;
mod rejects;

use chrono::Utc;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use millrace_domain::batch::EventBatch;
use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::task::Import;
use millrace_domain::jobs::{Progress, Report};
use millrace_messaging::publisher::publish_watched;
use millrace_messaging::stored::Stored;
use millrace_messaging::trace::Origin;
use millrace_storage::maintenance::analyze;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Duration;

use crate::jobs::Work;
use crate::jobs::error::JobError;
use reading::{Batch, Reading};

/// Batches that are on their way at once.
const IN_FLIGHT: usize = 4;
/// How long the workers may need to store one.
const PATIENCE: Duration = Duration::from_secs(120);
/// From so many new events on the planner should learn of them at once.
const MANY_EVENTS: u64 = 100_000;

/// How far an import is.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// Rows that need not be read again.
    rows: u64,
    stored: u64,
    duplicates: u64,
    rejected: u64,
    /// Events that were accepted and could not be stored.
    dead: u64,
    /// The lists of rejected rows.
    files: Vec<rejects::File>,
}

impl Checkpoint {
    /// Takes in a batch that is settled.
    async fn add(
        &mut self,
        work: &Work,
        project: ProjectId,
        batch: &Batch,
        stored: Stored,
    ) -> Result<(), JobError> {
        if !batch.rejects.is_empty() {
            self.rejected += u64::try_from(batch.rejects.len()).unwrap_or(u64::MAX);
            if let Some(file) = rejects::write(work, project, self.files.len(), &batch.rejects).await? {
                self.files.push(file);
            }
        }
        self.rows += batch.rows;
        self.stored += stored.stored;
        self.duplicates += stored.duplicates;
        self.dead += stored.dead;
        Ok(())
    }
}

/// Imports a file.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work, import: &Import) -> Result<Report, JobError> {
    let project = work.project()?;
    let mut at: Checkpoint = work.checkpoint()?.unwrap_or_default();
    let name = format!("imports/{project}/{}", import.file);
    let content = work.files()?.open(&name).await?.content;
    let reading = Reading::of(import, at.rows, work.job.created_at)?;
    let mut batches = reading.start(content);
    let mut in_flight = FuturesOrdered::new();
    let mut has_ended = false;
    loop {
        tokio::select! {
            read = batches.recv(), if !has_ended && in_flight.len() < IN_FLIGHT => match read {
                Some(batch) => in_flight.push_back(settle(work, project, batch)),
                None => has_ended = true,
            },
            Some(settled) = in_flight.next(), if !in_flight.is_empty() => {
                let (batch, stored) = settled?;
                at.add(work, project, &batch, stored).await?;
                work.note(&at, Progress { done: at.rows, total: None }).await?;
            }
            else => break,
        }
    }
    if at.stored >= MANY_EVENTS {
        analyze(&mut *work.tools.connection().await?).await?;
    }
    Ok(json!({
        "rows": at.rows, "stored": at.stored, "duplicates": at.duplicates, "rejected": at.rejected,
        "dead_letters": at.dead, "files": at.files,
    }))
}

/// Sends a batch to the log and waits until it is stored.
async fn settle(
    work: &Work,
    project: ProjectId,
    batch: Result<Batch, JobError>,
) -> Result<(Batch, Stored), JobError> {
    let mut batch = batch?;
    if batch.events.is_empty() {
        return Ok((batch, Stored::default()));
    }
    let events = EventBatch {
        project_id: project,
        received_at: Utc::now(),
        events: std::mem::take(&mut batch.events),
    };
    let origin = Origin::of(&format!("job-{}", work.job.id));
    let replies = publish_watched(&work.tools.broker, &events, origin).await?;
    let late = || JobError::Unavailable("the workers are behind the log".to_owned());
    let stored = replies.wait(PATIENCE).await.ok_or_else(late)?;
    Ok((batch, stored))
}
