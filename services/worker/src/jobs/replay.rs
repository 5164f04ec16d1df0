//! Dead letters of a project, put back into the log: those that there are when the job begins. What fails again is a new
//! letter, behind those, and is not replayed in circles.
//!
//! A worker that is killed leaves letters in the log that are still on the shelf. They are replayed again, and stored once.

use millrace_domain::jobs::task::Replay;
use millrace_domain::jobs::{Progress, Report};
use millrace_messaging::broker::Broker;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::shelf;
use millrace_messaging::error::MessagingError;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::jobs::Work;
use crate::jobs::error::JobError;
use crate::orders::{Deed, carry_out, found};

/// How far a replay is.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    /// The newest letter when it began.
    until: u64,
    /// Letters that are meant, when it began.
    letters: u64,
    /// All before this one, and itself, are replayed.
    after: Option<u64>,
    /// Letters that are known to be replayed.
    replayed: u64,
}

impl Checkpoint {
    async fn begin(broker: &Broker, filter: &Filter) -> Result<Self, MessagingError> {
        let until = shelf::newest(broker).await?;
        let (mut letters, mut after) = (0, None);
        loop {
            let (some, next) = found(broker, filter, after, until).await?;
            letters += some.len() as u64;
            after = next;
            if after.is_none() {
                return Ok(Self { until, letters, after: None, replayed: 0 });
            }
        }
    }

    fn progress(&self) -> Progress {
        Progress { done: self.replayed, total: Some(self.letters) }
    }
}

/// Replays the letters.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work, replay: &Replay) -> Result<Report, JobError> {
    let broker = &work.tools.broker;
    let Replay { reason, event_type, from, to } = replay.clone();
    let filter = Filter { project: Some(work.project()?), reason, event_type, from, to };
    let mut at = match work.checkpoint()? {
        Some(at) => at,
        None => Checkpoint::begin(broker, &filter).await?,
    };
    loop {
        let (letters, next) = found(broker, &filter, at.after, at.until).await?;
        at.replayed += carry_out(broker, letters, Deed::Replay).await?;
        at.after = next;
        if at.after.is_none() {
            // An attempt that was killed had replayed letters that it could not note.
            at.replayed = at.letters;
            work.note(&at, at.progress()).await?;
            return Ok(json!({"letters": at.letters}));
        }
        work.note(&at, at.progress()).await?;
    }
}
