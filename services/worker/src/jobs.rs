//! Work that takes longer than a request.
//!
//! A [`runner`] takes a job that is due from the database, works on it for as long as it holds it ([`hold`]), and says
//! what came of it. Every kind of job has a file; each notes in a checkpoint how far it is, together with what it did
//! up to there where that can be one transaction, so that another worker goes on where one was killed. Whatever is done
//! twice by that changes nothing the second time. [`schedule`] notes the maintenance that is due.

use std::time::Duration;

use millrace_cache::data_versions::DataVersions;
use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{Kind, Progress, Report};
use millrace_files::Files;
use millrace_messaging::broker::Broker;
use millrace_storage::database::{Connection, Database};
use millrace_storage::jobs::Job;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod delete_user;
pub mod error;
pub mod export;
pub mod hold;
pub mod import;
pub mod maintenance;
pub mod rebuild;
pub mod replay;
pub mod retention;
pub mod runner;
pub mod schedule;

use error::JobError;
use hold::Hold;

/// How jobs are worked on.
#[derive(Clone, Debug)]
pub struct JobSettings {
    /// `MILLRACE_JOBS`: how many jobs this worker has in hand at once.
    pub at_once: usize,
    /// `MILLRACE_JOB_LEASE`: how long after a worker was last heard of another takes its job over.
    pub lease: Duration,
    /// `MILLRACE_JOB_POLL`: how often a worker looks for jobs that nobody told it about.
    pub poll: Duration,
    /// `MILLRACE_EXPORT_PART_ROWS`: about how many events a file of an export has.
    pub part_rows: u64,
    /// `MILLRACE_FILES_KEPT`: how long the files of a job outlive its end.
    pub files_kept: Duration,
    /// `MILLRACE_MAINTENANCE`: how often maintenance is due; `None`: never by itself.
    pub maintenance: Option<Duration>,
}

/// What jobs work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Where jobs, events and roll-ups are. A pool of its own: statements of jobs may take long.
    pub database: Database,
    /// The log, and whoever looks on.
    pub broker: Broker,
    /// What tells analytics that its answers are old.
    pub versions: DataVersions,
    /// Where files are, if there is a place for them.
    pub files: Option<Files>,
    /// How jobs are worked on.
    pub settings: JobSettings,
}

impl Tools {
    /// A connection to the database.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn connection(&self) -> Result<Connection, JobError> {
        Ok(self.database.connection().await?)
    }
}

/// A job in hand.
#[derive(Debug)]
pub struct Work {
    /// The job, as it was when it was taken.
    pub job: Job,
    /// That nobody else works on it.
    pub hold: Hold,
    /// What to work with.
    pub tools: Tools,
}

impl Work {
    /// Does it.
    ///
    /// # Errors
    /// See [`JobError`].
    pub async fn run(&self) -> Result<Report, JobError> {
        let task = Task::parse(self.job.kind, self.job.parameters.clone())
            .map_err(|fault| JobError::Failed(format!("parameters: {fault}")))?;
        match task {
            Task::Import(import) => Box::pin(import::run(self, &import)).await,
            Task::Export(export) => Box::pin(export::run(self, &export)).await,
            Task::DeleteUser(user) => Box::pin(delete_user::run(self, &user)).await,
            Task::Rebuild => Box::pin(rebuild::run(self)).await,
            Task::Replay(replay) => Box::pin(replay::run(self, &replay)).await,
            Task::Maintenance(Kind::Retention) => Box::pin(retention::run(self)).await,
            Task::Maintenance(kind) => Box::pin(maintenance::run(self, kind)).await,
        }
    }

    /// The project it belongs to.
    ///
    /// # Errors
    /// When it belongs to none.
    pub fn project(&self) -> Result<ProjectId, JobError> {
        self.job.project_id.ok_or_else(|| JobError::Failed("the job belongs to no project".to_owned()))
    }

    /// Where the files are.
    ///
    /// # Errors
    /// When there is no place for any.
    pub fn files(&self) -> Result<&Files, JobError> {
        let nowhere = || JobError::Failed("MILLRACE_EXPORTS is not set for this worker".to_owned());
        self.tools.files.as_ref().ok_or_else(nowhere)
    }

    /// Where the attempt before came to; `None` at the beginning.
    ///
    /// # Errors
    /// When another version wrote it that meant something else.
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Result<Option<T>, JobError> {
        let read = self.job.checkpoint.clone().map(serde_json::from_value).transpose();
        read.map_err(|error| JobError::Failed(format!("the checkpoint cannot be read: {error}")))
    }

    /// Notes where the next attempt goes on.
    ///
    /// # Errors
    /// When the job is not held any more, or is to stop.
    pub async fn note<T: Serialize + Sync>(
        &self,
        checkpoint: &T,
        progress: Progress,
    ) -> Result<(), JobError> {
        let checkpoint = error::json(checkpoint)?;
        let mut conn = self.tools.connection().await?;
        self.hold.note(&checkpoint, progress).write(&mut conn).await?;
        drop(conn);
        self.hold.tell(progress).await;
        Ok(())
    }
}
