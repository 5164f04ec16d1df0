//! Stickiness: on how many days users were active.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::stickiness::{self, Counter, StickinessQuery, Sticky};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::questions::retention::IntervalName;
use crate::reader::Reader;
use crate::slices::slices;
use crate::working_memory::{bytes_of_set, sets_at_once};

/// Users with the same number of active intervals.
#[derive(Debug, Serialize, ToSchema)]
pub struct StickinessPoint {
    /// Intervals of the period in which they were active.
    pub intervals: usize,
    /// Distinct users who were active in exactly so many.
    pub users: u64,
}

/// For each number of intervals, how many users were active in so many.
#[derive(Debug, Serialize, ToSchema)]
pub struct StickinessAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// As asked, or `day`.
    pub interval: IntervalName,
    /// From 1 to the number of intervals of the period.
    pub data: Vec<StickinessPoint>,
}

/// Answers for a project.
///
/// # Errors
/// When the answer would be too large, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: StickinessQuery,
    filter: Option<Filter>,
) -> Result<StickinessAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let intervals = stickiness::intervals(query.interval, asked.period.dates(zone))?;
    let events = Selection { event: query.event, filter };
    let instants = asked.period.instants(zone);
    let at_once = sets_at_once(project.users);
    // Beside the sets, their number of each user, in binary digits.
    let sets = u64::try_from(at_once + 14).unwrap_or(u64::MAX);
    let _room = reader.room(sets.saturating_mul(bytes_of_set(project.users))).await?;
    let mut counted = Counter::default();
    for slice in slices(asked.period.dates(zone), query.interval, at_once) {
        let within =
            instants.start.max(zone.day_start(slice.from()))..instants.end.min(zone.day_start(slice.end()));
        let activity = reader.activity(project, &events, &within, zone, query.interval).await?;
        activity.days().for_each(|(_, users)| counted.count(users));
    }
    let data = counted.up_to(intervals).into_iter().map(StickinessPoint::from).collect();
    let interval = query.interval.into();
    Ok(StickinessAnswer { from: asked.from, to: asked.to, timezone: zone, interval, data })
}

impl From<Sticky> for StickinessPoint {
    fn from(sticky: Sticky) -> Self {
        Self { intervals: sticky.intervals, users: sticky.users }
    }
}
