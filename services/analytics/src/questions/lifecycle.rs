//! Lifecycle: who is new, stayed, came back, went.

use chrono::NaiveDate;
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::lifecycle::{self, LifecycleQuery, Stage, lifecycle};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::questions::retention::IntervalName;
use crate::reader::Reader;
use crate::slices::slices;
use crate::working_memory::{bytes_of_set, sets_at_once};

/// An interval with its users.
#[derive(Debug, Serialize, ToSchema)]
pub struct LifecyclePoint {
    /// The first date of the interval.
    pub date: NaiveDate,
    /// Users whose first event ever falls in it.
    pub new: u64,
    /// Users active in it and in the one before.
    pub returning: u64,
    /// Users active in it and not in the one before, who are not new.
    pub resurrecting: u64,
    /// Users active in the one before and not in it.
    pub dormant: u64,
    /// Whether the interval has ended.
    pub complete: bool,
}

/// Every interval with its users.
#[derive(Debug, Serialize, ToSchema)]
pub struct LifecycleAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// As asked, or `day`.
    pub interval: IntervalName,
    /// In order.
    pub data: Vec<LifecyclePoint>,
}

/// Answers for a project: for the whole intervals that share a date with the period.
///
/// # Errors
/// When the answer would be too large, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: LifecycleQuery,
    filter: Option<Filter>,
) -> Result<LifecycleAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let (range, interval) = (asked.period.dates(zone), query.interval);
    let needed = lifecycle::needed(interval, range)?;
    let events = Selection { event: query.event, filter };
    let at_once = sets_at_once(project.users);
    let sets = u64::try_from(at_once + 6).unwrap_or(u64::MAX);
    let _room = reader.room(sets.saturating_mul(bytes_of_set(project.users))).await?;
    let mut seen = reader.users_before(project, &events, zone.day_start(needed.from())).await?;
    let mut stages = Vec::new();
    for slice in slices(range, interval, at_once) {
        let needed = lifecycle::needed(interval, slice)?;
        let instants = zone.day_start(needed.from())..zone.day_start(needed.end());
        let activity = reader.activity(project, &events, &instants, zone, interval).await?;
        stages.extend(lifecycle(interval, slice, reader.today(zone), &activity, &seen));
        activity.days().for_each(|(_, users)| seen |= users);
    }
    Ok(LifecycleAnswer {
        from: asked.from,
        to: asked.to,
        timezone: zone,
        interval: interval.into(),
        data: stages.into_iter().map(LifecyclePoint::from).collect(),
    })
}

impl From<Stage> for LifecyclePoint {
    fn from(stage: Stage) -> Self {
        let Stage { date, new, returning, resurrecting, dormant, complete } = stage;
        Self { date, new, returning, resurrecting, dormant, complete }
    }
}
