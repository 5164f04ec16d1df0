//! Everything about a user goes.
//!
//! First whatever is on its way: events that were accepted before are waited for. Then the user's row, so that what
//! comes later is of a new user; then, under the number that they had, the events with what they add to the counts, and
//! the number in the activity sets; then dead letters, the files that jobs of the project have written or were given,
//! the user's name in what jobs were told and in the lists of cohorts, and the answers that insights had last. Each step can be done again, and finds nothing then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use millrace_cache::data_versions::Month;
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::jobs::task::DeleteUser;
use millrace_domain::jobs::{Progress, Report};
use millrace_domain::text::UserId;
use millrace_messaging::forgetting;
use millrace_storage::erasure::{self, Deleted};
use millrace_storage::{cohorts, compaction, insight_results, jobs};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::jobs::error::{self, JobError};
use crate::jobs::{Work, maintenance};

/// Events that are deleted in one transaction.
const BATCH_EVENTS: i64 = 5_000;
/// Sets that are looked at before a checkpoint.
const BATCH_SETS: i64 = 200;
/// How long the workers may need for what is on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far a deletion is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// The user's row is gone; the number it had, if there was one.
    row_deleted: bool,
    number: Option<UserNo>,
    events: u64,
    events_deleted: bool,
    /// The last set that was looked at.
    set: Option<(String, NaiveDate)>,
    sets_deleted: bool,
    /// How many there were before the first of them was deleted.
    dead_letters: u64,
}

/// Deletes a user.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work, user: &DeleteUser) -> Result<Report, JobError> {
    let project = work.project()?;
    let name = UserId::parse(&user.user_id).map_err(|fault| JobError::Failed(format!("user_id {fault}")))?;
    let mut at: Checkpoint = work.checkpoint()?.unwrap_or_default();
    if !at.row_deleted {
        wait_for_the_log(work).await?;
        let noted = |number: Option<UserNo>| {
            error::json(&Checkpoint { row_deleted: true, number, ..Checkpoint::default() })
                .unwrap_or_default()
        };
        let mut conn = work.tools.connection().await?;
        at.number = erasure::delete_row(&mut conn, project, name.as_str(), work.hold.holding, noted).await?;
        at.row_deleted = true;
    }
    if let Some(number) = at.number {
        delete_events(work, project, number, &mut at).await?;
        delete_from_sets(work, project, number, &mut at).await?;
    }
    delete_dead_letters(work, project, &name, &mut at).await?;
    let files = delete_files(work, project).await?;
    let mut conn = work.tools.connection().await?;
    jobs::forget_user(&mut conn, project, name.as_str(), work.job.id).await?;
    cohorts::forget_user(&mut conn, project, name.as_str()).await?;
    insight_results::forget(&mut conn, project).await?;
    Ok(json!({
        "found": at.number.is_some(), "events": at.events, "dead_letters": at.dead_letters, "jobs_without_files": files,
    }))
}

/// Waits until everything that was accepted before is stored or a dead letter.
async fn wait_for_the_log(work: &Work) -> Result<(), JobError> {
    let end = forgetting::end_of_the_log(&work.tools.broker).await?;
    let waiting = async {
        while !forgetting::is_settled(&work.tools.broker, end).await? {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    };
    let late = |_elapsed| Err(JobError::Unavailable("the workers are behind the log".to_owned()));
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(late)
}

async fn delete_events(
    work: &Work,
    project: ProjectId,
    number: UserNo,
    at: &mut Checkpoint,
) -> Result<(), JobError> {
    while !at.events_deleted {
        let after = |deleted: &Deleted| Checkpoint {
            events: at.events + deleted.events,
            events_deleted: deleted.events == 0,
            ..at.clone()
        };
        let note = |deleted: &Deleted| {
            let after = after(deleted);
            let progress = Progress { done: after.events, total: None };
            (error::json(&after).unwrap_or_default(), progress)
        };
        let mut conn = work.tools.connection().await?;
        let deleted =
            erasure::delete_events(&mut conn, project, number, BATCH_EVENTS, work.hold.holding, note).await?;
        drop(conn);
        if let Some((first, last)) = deleted.between {
            renew_versions(work, project, first, last).await;
        }
        *at = after(&deleted);
        work.hold.tell(Progress { done: at.events, total: None }).await;
    }
    Ok(())
}

/// Says that the answers about this time are old.
pub(super) async fn renew_versions(
    work: &Work,
    project: ProjectId,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
) {
    let mut months = BTreeSet::from([Month::of(first), Month::of(last)]);
    let mut day = first;
    while day < last {
        months.insert(Month::of(day));
        day += TimeDelta::days(27);
    }
    // Counted and logged where it fails; answers are kept for seconds only.
    let _ = work.tools.versions.renew(&BTreeMap::from([(project, months)])).await;
}

async fn delete_from_sets(
    work: &Work,
    project: ProjectId,
    number: UserNo,
    at: &mut Checkpoint,
) -> Result<(), JobError> {
    while !at.sets_deleted {
        let mut conn = work.tools.connection().await?;
        let last = compaction::remove_user(&mut conn, project, number, at.set.as_ref(), BATCH_SETS).await?;
        drop(conn);
        at.sets_deleted = last.is_none();
        at.set = last;
        work.note(at, Progress { done: at.events, total: Some(at.events) }).await?;
    }
    Ok(())
}

async fn delete_dead_letters(
    work: &Work,
    project: ProjectId,
    name: &UserId,
    at: &mut Checkpoint,
) -> Result<(), JobError> {
    let theirs = forgetting::dead_letters_of(&work.tools.broker, project, name).await?;
    // An attempt that follows a killed one finds only what that has left.
    at.dead_letters = at.dead_letters.max(theirs.len() as u64);
    work.note(at, Progress { done: at.events, total: Some(at.events) }).await?;
    Ok(forgetting::delete_dead_letters(&work.tools.broker, &theirs).await?)
}

/// Deletes the files of the project's jobs that have ended, because nobody knows who is in them.
async fn delete_files(work: &Work, project: ProjectId) -> Result<u64, JobError> {
    let mut jobs_without = 0;
    loop {
        let mut conn = work.tools.connection().await?;
        let found = jobs::with_files(&mut conn, project, 100).await?;
        if found.is_empty() {
            return Ok(jobs_without);
        }
        for job in found {
            maintenance::delete_files(&work.tools, &mut conn, &job).await?;
            jobs_without += 1;
        }
    }
}
