//! The roll-ups of a project, made from its events anew: it is noted where they differ from the events, first the counts, a
//! day (UTC) at a time, then the sets, a local day at a time; then all of it is corrected in one transaction. Events keep
//! coming meanwhile, and whoever asks sees the old roll-ups or the new ones. The sets of a project that has got another
//! zone are of use from then on, and not before.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::jobs::{Progress, Report};
use millrace_storage::projects::{self, Project};
use millrace_storage::rebuild::swap::{Swapped, swap};
use millrace_storage::rebuild::{self, Span, staging};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::jobs::Work;
use crate::jobs::delete_user::renew_versions;
use crate::jobs::error::{self, JobError};

/// How far a rebuild is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Checkpoint {
    /// The days (UTC) whose counts are to be looked at; the first is the next one.
    counts: DaysLeft,
    /// The local days whose sets are to be; the first is the next one.
    sets: DaysLeft,
    /// The zone whose days they are.
    timezone: TimeZone,
    /// How often the project had got another zone by then. It may once more meanwhile, and another rebuild with it.
    #[serde(default)]
    zone_changes: i32,
    /// The time that answers are about that have to be worked out anew.
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    /// Days in all.
    total: u64,
    /// The roll-ups are right.
    #[serde(default)]
    swapped: bool,
    buckets_corrected: u64,
    #[serde(default)]
    sets_corrected: u64,
}

/// Days that are still to be done, both included; none if the first is after the last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct DaysLeft {
    next: NaiveDate,
    last: NaiveDate,
}

impl DaysLeft {
    fn left(self) -> u64 {
        u64::try_from(self.last.num_days_from_ce() - self.next.num_days_from_ce() + 1).unwrap_or(0)
    }

    fn step(&mut self) -> Option<NaiveDate> {
        let day = self.next;
        (day <= self.last).then(|| {
            self.next = day.checked_add_days(Days::new(1)).unwrap_or(day);
            day
        })
    }
}

impl Checkpoint {
    fn begin(span: Span, project: &Project) -> Self {
        let Project { timezone, zone_changes, .. } = *project;
        let counts = DaysLeft { next: span.first.date_naive(), last: span.last.date_naive() };
        let (first, last) = (timezone.local_day(span.first), timezone.local_day(span.last));
        // Sets may be on days of a zone that the project had before.
        let sets = match span.days {
            Some((earliest, latest)) => DaysLeft { next: first.min(earliest), last: last.max(latest) },
            None => DaysLeft { next: first, last },
        };
        let total = counts.left() + sets.left();
        let (first, last) = (span.first, span.last);
        Self {
            counts,
            sets,
            timezone,
            zone_changes,
            first,
            last,
            total,
            swapped: false,
            buckets_corrected: 0,
            sets_corrected: 0,
        }
    }

    fn progress(&self) -> Progress {
        let left = self.counts.left() + self.sets.left();
        Progress { done: self.total.saturating_sub(left), total: Some(self.total) }
    }
}

/// Rebuilds the roll-ups.
///
/// # Errors
/// See [`JobError`].
pub async fn run(work: &Work) -> Result<Report, JobError> {
    let project = work.project()?;
    let mut conn = work.tools.connection().await?;
    let mut at: Checkpoint = match work.checkpoint::<Checkpoint>()? {
        Some(at) if at.swapped || staging::is_begun(&mut conn, work.job.id).await? => at,
        earlier => {
            let found = projects::find(&mut conn, project).await?;
            let found = found.ok_or_else(|| JobError::Failed("the project does not exist".to_owned()))?;
            if earlier.is_some_and(|at| at.zone_changes != found.zone_changes) {
                return Ok(superseded());
            }
            let Some(span) = rebuild::span(&mut conn, project).await? else {
                // Whatever is stored from here on is of the days of this zone.
                rebuild::sets_are_made(&mut conn, project, found.zone_changes).await?;
                return Ok(json!({"days": 0, "buckets_corrected": 0, "sets_corrected": 0}));
            };
            let at = Checkpoint::begin(span, &found);
            let noted = error::json(&at)?;
            staging::begin(&mut conn, project, work.hold.note(&noted, at.progress())).await?;
            at
        }
    };
    while let Some(day) = at.counts.step() {
        let noted = error::json(&at)?;
        let start = day.and_time(NaiveTime::MIN).and_utc();
        let note = work.hold.note(&noted, at.progress());
        staging::stage_counts(&mut conn, project, &(start..start + TimeDelta::days(1)), note).await?;
        work.hold.tell(at.progress()).await;
    }
    while let Some(day) = at.sets.step() {
        let noted = error::json(&at)?;
        let note = work.hold.note(&noted, at.progress());
        staging::stage_sets(&mut conn, project, at.timezone, day, note).await?;
        work.hold.tell(at.progress()).await;
    }
    if !at.swapped {
        let after = |swapped: &Swapped| Checkpoint {
            swapped: true,
            buckets_corrected: swapped.buckets,
            sets_corrected: swapped.sets,
            ..at.clone()
        };
        let note = |swapped: &Swapped| {
            let after = after(swapped);
            (error::json(&after).unwrap_or_default(), after.progress())
        };
        let days = (at.timezone, at.zone_changes);
        let Some(swapped) = swap(&mut conn, project, days, work.hold.holding, note).await? else {
            return Ok(superseded());
        };
        at = after(&swapped);
    }
    drop(conn);
    renew_versions(work, project, at.first, at.last).await;
    Ok(json!({
        "days": at.total, "buckets_corrected": at.buckets_corrected, "sets_corrected": at.sets_corrected,
        "timezone": at.timezone,
    }))
}

/// The project has got another zone: the job that came with it does all of this again.
fn superseded() -> Report {
    json!({"superseded": true})
}
