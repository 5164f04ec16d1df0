//! Daily, weekly and monthly active users.

use chrono::NaiveDate;
use millrace_domain::analytics::active_users::{ActiveUsers, ActiveUsersQuery, active_users};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;
use crate::slices::slices;
use crate::working_memory::{bytes_of_set, sets_at_once};

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
    let (window, at_once) = (usize::from(query.window.days()), sets_at_once(project.users));
    // A window's sets are there once more as unions.
    let sets = u64::try_from(at_once + 2 * window + 4).unwrap_or(u64::MAX);
    let _room = reader.room(sets.saturating_mul(bytes_of_set(project.users))).await?;
    for slice in slices(dates, Interval::Day, at_once) {
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
