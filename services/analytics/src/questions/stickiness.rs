//! Stickiness: on how many days users were active.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::stickiness::{self, StickinessQuery, Sticky, stickiness};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::questions::retention::IntervalName;
use crate::reader::Reader;

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
    let activity = reader.activity(project, &events, &instants, zone, query.interval).await?;
    let sets = activity.days().map(|(_, users)| users);
    let data = stickiness(intervals, sets).into_iter().map(StickinessPoint::from).collect();
    let interval = query.interval.into();
    Ok(StickinessAnswer { from: asked.from, to: asked.to, timezone: zone, interval, data })
}

impl From<Sticky> for StickinessPoint {
    fn from(sticky: Sticky) -> Self {
        Self { intervals: sticky.intervals, users: sticky.users }
    }
}
