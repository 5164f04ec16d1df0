//! Funnels: how far users got through steps.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::filter::Filter;
use millrace_domain::analytics::funnel::{FunnelQuery, Level};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// A step.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelStep {
    /// Its place, from 1; of a loose funnel, the number of steps done.
    pub step: usize,
    /// Its event type; `null` for any, and in a loose funnel.
    pub event_type: Option<String>,
    /// Distinct users who got so far.
    pub users: u64,
    /// `users` over those of the first step; 0 where that has none.
    pub conversion: f64,
    /// `users` over those of the step before; 0 where that has none.
    pub conversion_from_previous: f64,
    /// Users of the step before who did not get here.
    pub drop_off: u64,
    /// The median of the seconds between the step before and this one; `null` for the first, and of nobody.
    pub median_seconds: Option<f64>,
    /// The median of the seconds between the first step and this one; `null` for the first, and of nobody.
    pub median_seconds_from_start: Option<f64>,
}

/// The funnel of the users whose attempt began with an event of one value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelGroup {
    /// The value of the property as text; `null` where it is absent, and for all others together.
    pub value: Option<String>,
    /// Whether these are all other values together.
    pub other: bool,
    /// Every step.
    pub steps: Vec<FunnelStep>,
}

/// How far users got.
#[derive(Debug, Serialize, ToSchema)]
pub struct FunnelAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// Every step, of all users.
    pub data: Vec<FunnelStep>,
    /// The same by the values of the breakdown's property, the most users first; absent without a breakdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Vec<FunnelGroup>>,
}

/// Answers for a project.
///
/// # Errors
/// When there are too many events, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    mut query: FunnelQuery,
    filter: Option<Filter>,
) -> Result<FunnelAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    for events in query.steps.iter_mut().chain(&mut query.exclusions) {
        *events = std::mem::take(events).and(filter.clone());
    }
    let funnel = reader.funnel(project, &query, &asked.period.instants(zone)).await?;
    let groups = funnel.groups.into_iter().map(|group| FunnelGroup {
        steps: steps(&query, &group.levels),
        value: group.value,
        other: group.is_rest,
    });
    Ok(FunnelAnswer {
        from: asked.from,
        to: asked.to,
        timezone: zone,
        data: steps(&query, &funnel.all),
        breakdown: query.breakdown.as_ref().map(|_| groups.collect()),
    })
}

fn steps(query: &FunnelQuery, levels: &[Level]) -> Vec<FunnelStep> {
    let first = levels.first().map_or(0, |level| level.users);
    let mut before = first;
    let mut steps = Vec::new();
    for (place, level) in levels.iter().enumerate() {
        steps.push(FunnelStep {
            step: place + 1,
            event_type: query.type_of(place).map(ToString::to_string),
            users: level.users,
            conversion: rate(level.users, first),
            conversion_from_previous: rate(level.users, before),
            drop_off: before - level.users,
            median_seconds: level.median_seconds,
            median_seconds_from_start: level.median_seconds_from_start,
        });
        before = level.users;
    }
    steps
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 users")]
fn rate(users: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { users as f64 / of as f64 }
}
