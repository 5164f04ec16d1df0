//! How many questions about one project are worked on at once: whoever asks a lot must not keep everybody else waiting
//! for a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use millrace_domain::ids::ProjectId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::errors::AnalyticsError;

/// How long a question waits for others to be done.
const WAIT: Duration = Duration::from_secs(2);
/// Projects that nobody asks about are forgotten once there are so many.
const MANY: usize = 1_000;

/// The turns of all projects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns {
    limit: u32,
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Semaphore>>>>,
}

impl Turns {
    /// At most `limit` questions about each project.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, projects: Arc::default() }
    }

    /// A turn, which ends when it is dropped.
    ///
    /// # Errors
    /// [`AnalyticsError::TooManyQuestions`] when there is none in time.
    pub async fn take(&self, project: ProjectId) -> Result<OwnedSemaphorePermit, AnalyticsError> {
        let turn = tokio::time::timeout(WAIT, self.of(project).acquire_owned()).await;
        let busy = || AnalyticsError::TooManyQuestions(self.limit);
        turn.map_err(|_elapsed| busy())?.map_err(|_never_closed| busy())
    }

    /// Half of the questions about a project that are worked on at once, and at least one.
    #[must_use]
    pub fn half(&self) -> usize {
        usize::try_from(self.limit / 2).unwrap_or(1).max(1)
    }

    fn of(&self, project: ProjectId) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if projects.len() >= MANY {
            projects.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let limit = usize::try_from(self.limit).unwrap_or(Semaphore::MAX_PERMITS);
        projects.entry(project).or_insert_with(|| Arc::new(Semaphore::new(limit))).clone()
    }
}
