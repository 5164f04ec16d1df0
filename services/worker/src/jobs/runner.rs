//! Taking jobs that are due and seeing them through.

use std::time::Duration;

use millrace_domain::jobs::{Report, Status};
use millrace_domain::notification::NotificationKind;
use millrace_messaging::consumer::{Consumer, PullSettings};
use millrace_messaging::error::MessagingError;
use millrace_messaging::streams;
use millrace_storage::error::StorageError;
use millrace_storage::jobs::holding::{self, Holding};
use millrace_storage::jobs::{self, Job};
use rand::Rng;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use crate::jobs::error::{JobError, Stop};
use crate::jobs::hold::Hold;
use crate::jobs::{Tools, Work};

/// How often a job is tried that does not come further.
const ATTEMPTS: u32 = 10;
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// One line of work.
#[derive(Debug)]
pub struct Runner {
    /// What to work with.
    pub tools: Tools,
    /// Copies of the stream of jobs in the cluster.
    pub replicas: usize,
    /// When to stop.
    pub shutdown: CancellationToken,
}

impl Runner {
    /// Works until it is asked to stop; the job in hand is put back.
    ///
    /// # Errors
    /// Never: whatever fails is tried again.
    pub async fn run(self) -> Result<(), MessagingError> {
        let mut wakes = None;
        while !self.shutdown.is_cancelled() {
            match self.take().await {
                Ok(Some((job, holding))) => {
                    let span = tracing::info_span!("job", id = %job.id, kind = %job.kind);
                    self.see_through(job, holding).instrument(span).await;
                    continue;
                }
                Ok(None) => {}
                Err(error) => {
                    metrics::counter!("dependency_failures_total", "dependency" => "postgres").increment(1);
                    tracing::debug!(%error, "no job could be taken");
                }
            }
            self.wait(&mut wakes).await;
        }
        Ok(())
    }

    async fn take(&self) -> Result<Option<(Job, Holding)>, StorageError> {
        let holder = Uuid::now_v7();
        let mut conn = self.tools.database.connection().await?;
        let job = holding::take(&mut conn, holder, self.tools.settings.lease).await?;
        Ok(job.map(|job| {
            let holding = Holding { job: job.id, holder };
            (job, holding)
        }))
    }

    /// Waits until there may be something to do: somebody says so, or it is time to look.
    async fn wait(&self, wakes: &mut Option<Consumer>) {
        if wakes.is_none() {
            *wakes = self.join().await.ok();
        }
        if let Some(consumer) = wakes {
            // Not raced against the shutdown: dropping a pull would strand a message that is on its way.
            match consumer.pull().await {
                Ok(told) => {
                    for wake in told {
                        // Taken out before the job is done: the database knows which jobs are not.
                        if let Err(error) = wake.settle().await {
                            tracing::debug!(%error, "it will be said again that there is a job");
                        }
                    }
                    return;
                }
                Err(error) => tracing::debug!(%error, "nobody can say that there are jobs"),
            }
            *wakes = None;
        }
        tokio::select! {
            () = tokio::time::sleep(self.tools.settings.poll) => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    async fn join(&self) -> Result<Consumer, MessagingError> {
        streams::ensure_jobs(&self.tools.broker, self.replicas).await?;
        let settings = PullSettings {
            max_messages: 1,
            max_bytes: 1 << 20,
            expires: self.tools.settings.poll,
            ack_wait: Duration::from_secs(30),
            max_deliveries: None,
        };
        Consumer::of_jobs(&self.tools.broker, settings).await
    }

    async fn see_through(&self, job: Job, holding: Holding) {
        let hold = Hold::of(&job, holding, self.tools.broker.clone());
        let work = Work { job, hold, tools: self.tools.clone() };
        tracing::info!(attempt = work.job.attempts, "a job is taken in hand");
        metrics::gauge!("jobs_running").increment(1);
        let outcome = if work.job.attempts > ATTEMPTS {
            Err(JobError::Failed(format!("its worker ended {ATTEMPTS} times without coming further")))
        } else {
            let (database, lease) = (&self.tools.database, self.tools.settings.lease);
            tokio::select! {
                outcome = work.run() => outcome,
                stop = work.hold.keep(database, lease, &self.shutdown) => Err(JobError::Stopped(stop)),
            }
        };
        metrics::gauge!("jobs_running").decrement(1);
        // Should this fail as well, the job is taken again once the hold has lapsed, and finds nothing to do.
        if let Err(error) = self.settle(&work, outcome).await {
            tracing::warn!(%error, "what became of a job was not noted");
        }
    }

    async fn settle(&self, work: &Work, outcome: Result<Report, JobError>) -> Result<(), StorageError> {
        let holding = work.hold.holding;
        let (status, result, error) = match outcome {
            Ok(report) => (Status::Succeeded, Some(report), None),
            Err(JobError::Stopped(Stop::Cancelled)) => (Status::Cancelled, None, None),
            Err(JobError::Stopped(stop @ Stop::Lost)) => {
                tracing::warn!("{stop}");
                return Ok(());
            }
            Err(JobError::Stopped(Stop::Shutdown)) => {
                let mut conn = self.tools.database.connection().await?;
                holding::postpone(&mut conn, holding, Duration::ZERO, None).await?;
                return Ok(());
            }
            Err(JobError::Unavailable(cause)) if work.job.attempts < ATTEMPTS => {
                let wait = pause(work.job.attempts);
                tracing::warn!(cause, ?wait, "a job will be tried again");
                let mut conn = self.tools.database.connection().await?;
                holding::postpone(&mut conn, holding, wait, Some(&cause)).await?;
                return Ok(());
            }
            Err(error) => (Status::Failed, None, Some(error.to_string())),
        };
        let mut conn = self.tools.database.connection().await?;
        if !holding::finish(&mut conn, holding, status, result.as_ref(), error.as_deref()).await? {
            tracing::warn!("another worker has the job that was finished here");
            return Ok(());
        }
        metrics::counter!("jobs_finished_total", "kind" => work.job.kind.as_str(), "status" => status.as_str())
            .increment(1);
        tracing::info!(%status, error, "a job has ended");
        let happened = match status {
            Status::Succeeded => NotificationKind::JobSucceeded,
            Status::Cancelled => NotificationKind::JobCancelled,
            _ => NotificationKind::JobFailed,
        };
        if let Some(job) = jobs::find(&mut conn, holding.job).await? {
            work.hold.tell_news(happened, &job.news()).await;
        }
        Ok(())
    }
}

/// How long to wait after so many attempts: between half and the whole of a time that doubles.
fn pause(attempts: u32) -> Duration {
    let whole = Duration::from_secs(1).saturating_mul(2u32.saturating_pow(attempts)).min(LONGEST_PAUSE);
    rand::rng().random_range(whole / 2..=whole)
}
