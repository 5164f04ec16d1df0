//! Daily, weekly and monthly active users.

use std::iter;

use chrono::{Days, NaiveDate};
use millrace_domain::analytics::active_users::{ActiveUsers, ActiveUsersQuery, active_users};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// Dates answered for at once. Sets of a million users take 128 KiB a day, and a question may cover ten years.
const SLICE_DAYS: u64 = 92;

/// A point of the series.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveUsersPoint {
    /// The last day of the window.
    #[schema(example = "2026-11-01")]
    pub date: NaiveDate,
    /// Distinct users active within the window.
    #[schema(example = 123)]
    pub users: u64,
}

/// Active users for every date asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveUsersAnswer {
    /// As asked.
    #[schema(example = "2026-11-01")]
    pub from: String,
    /// As asked.
    #[schema(example = "2026-11-30")]
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String, example = "Europe/Paris")]
    pub timezone: TimeZone,
    /// One point for every date, those without activity included.
    pub data: Vec<ActiveUsersPoint>,
}

/// Answers for a project. Of instants, the windows reach back behind `from` as far as they are long, and the last ends
/// with `to`.
///
/// # Errors
/// When the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: ActiveUsersQuery,
    filter: Option<Filter>,
) -> Result<ActiveUsersAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let events = Selection { event: query.event, filter };
    let (dates, covered) = (asked.period.dates(zone), asked.period.instants(zone));
    let reach = zone.day_start(dates.from()) - zone.day_start(query.window.needed(dates).from());
    let mut data = Vec::new();
    for slice in slices(dates) {
        let needed = query.window.needed(slice);
        let instants = zone.day_start(needed.from()).max(covered.start - reach)
            ..zone.day_start(needed.end()).min(covered.end);
        let activity = reader.activity(project, &events, &instants, zone, Interval::Day).await?;
        data.extend(active_users(query.window, slice, &activity).into_iter().map(ActiveUsersPoint::from));
    }
    Ok(ActiveUsersAnswer { from: asked.from, to: asked.to, timezone: zone, data })
}

impl From<ActiveUsers> for ActiveUsersPoint {
    fn from(point: ActiveUsers) -> Self {
        Self { date: point.date, users: point.users }
    }
}

fn slices(range: DateRange) -> impl Iterator<Item = DateRange> {
    let mut rest = Some(range);
    iter::from_fn(move || {
        let range = rest?;
        let last = range
            .from()
            .checked_add_days(Days::new(SLICE_DAYS - 1))
            .map_or(range.to(), |d| d.min(range.to()));
        let slice = DateRange::new(range.from(), last)?;
        rest = DateRange::new(slice.end(), range.to());
        Some(slice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_each_other_without_gap() {
        for (from, to) in
            [("2026-01-01", "2026-01-01"), ("2026-01-01", "2026-04-02"), ("2016-01-01", "2025-12-31")]
        {
            let range = DateRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
            let days: Vec<NaiveDate> = slices(range).flat_map(DateRange::days).collect();
            assert_eq!(days, range.days().collect::<Vec<_>>());
            assert!(slices(range).all(|slice| slice.days().count() <= 92));
        }
    }
}
