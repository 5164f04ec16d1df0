//! Holding a job: saying that it goes on, hearing that it is to stop, telling how far it is.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::{JobNews, Kind, Progress, Status};
use millrace_domain::notification::NotificationKind;
use millrace_messaging::broker::Broker;
use millrace_messaging::jobs as news;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;
use millrace_storage::jobs::Job;
use millrace_storage::jobs::holding::{self, Held, Holding, Note};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::jobs::error::Stop;

/// How often at most people are told how far a job is.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How soon at the latest a cancelled job hears of it.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// That a worker, and no other, works on a job.
#[derive(Debug)]
pub struct Hold {
    /// What proves it to the database.
    pub holding: Holding,
    project: Option<ProjectId>,
    kind: Kind,
    broker: Broker,
    told: Mutex<Instant>,
}

impl Hold {
    /// The hold on a job that was taken as `holding`.
    #[must_use]
    pub fn of(job: &Job, holding: Holding, broker: Broker) -> Self {
        Self { holding, project: job.project_id, kind: job.kind, broker, told: Mutex::new(Instant::now()) }
    }

    /// What to write where the next attempt goes on.
    #[must_use]
    pub fn note<'a>(&self, checkpoint: &'a Value, progress: Progress) -> Note<'a> {
        Note { held: self.holding, checkpoint, progress }
    }

    /// Keeps the hold until it is to end, and says why.
    pub async fn keep(&self, database: &Database, lease: Duration, shutdown: &CancellationToken) -> Stop {
        let mut heard = Instant::now();
        loop {
            match self.renew(database, lease).await {
                Ok(Held::Yes) => heard = Instant::now(),
                Ok(Held::Cancelling) => return Stop::Cancelled,
                Ok(Held::No) => return Stop::Lost,
                // Given up before the lease ends, so that two are never at it.
                Err(error) if heard.elapsed() > lease / 2 => {
                    tracing::warn!(%error, "the hold on a job cannot be renewed: another worker will take it");
                    return Stop::Lost;
                }
                Err(error) => tracing::debug!(%error, "the hold on a job was not renewed"),
            }
            tokio::select! {
                () = shutdown.cancelled() => return Stop::Shutdown,
                () = tokio::time::sleep(ASK_EVERY.min(lease / 4)) => {}
            }
        }
    }

    async fn renew(&self, database: &Database, lease: Duration) -> Result<Held, StorageError> {
        let mut conn = database.connection().await?;
        holding::renew(&mut conn, self.holding, lease).await
    }

    /// Tells people how far it is, now and then.
    pub async fn tell(&self, progress: Progress) {
        let due = self.told.lock().is_ok_and(|mut told| {
            let due = told.elapsed() >= TELL_EVERY;
            if due {
                *told = Instant::now();
            }
            due
        });
        if due {
            let (id, kind) = (self.holding.job, self.kind);
            let news = JobNews { id, kind, status: Status::Running, progress, error: None };
            self.tell_news(NotificationKind::JobUpdated, &news).await;
        }
    }

    /// Tells people what became of it.
    pub async fn tell_news(&self, happened: NotificationKind, told: &JobNews) {
        let Some(project) = self.project else { return };
        if let Err(error) = news::tell(&self.broker, project, happened, told).await {
            tracing::debug!(%error, job = %told.id, "nobody was told of the job");
        }
    }
}
