//! The most frequent event types.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::analytics::top_events::{TopEvent, TopLimit, top_events};
use millrace_domain::text::EventType;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;
use crate::working_memory::{bytes_of_set, sets_at_once};

/// An event type with its events and its distinct users.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopEventRow {
    /// The type.
    #[schema(value_type = String, example = "page_view")]
    pub event_type: EventType,
    /// Its events.
    #[schema(example = 4200)]
    pub count: u64,
    /// The distinct users that sent them.
    #[schema(example = 987)]
    pub users: u64,
}

/// The most frequent event types, by count, then by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopEventsAnswer {
    /// As asked.
    #[schema(example = "2026-11-01")]
    pub from: String,
    /// As asked.
    #[schema(example = "2026-11-30")]
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String, example = "Europe/Paris")]
    pub timezone: TimeZone,
    /// The largest first.
    pub data: Vec<TopEventRow>,
}

/// Answers for a project.
///
/// # Errors
/// When the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    limit: TopLimit,
    filter: Option<Filter>,
) -> Result<TopEventsAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let instants = asked.period.instants(zone);
    let events = Selection { event: EventSelector::Any, filter };
    let counts = reader.counts(project, &events, &instants, limit.get()).await?;
    let counted = counts.into_iter().map(|(event_type, count)| TopEvent { event_type, count, users: 0 });
    let mut ranked = top_events(counted.collect(), limit);
    let types: Vec<EventType> = ranked.iter().map(|event| event.event_type.clone()).collect();
    let at_once = sets_at_once(project.users).min(types.len());
    let sets = u64::try_from(at_once + 3).unwrap_or(u64::MAX);
    let _room = reader.room(sets.saturating_mul(bytes_of_set(project.users))).await?;
    let mut users = Vec::new();
    for types in types.chunks(at_once.max(1)) {
        users.extend(reader.users_by_type(project, types, events.filter.as_ref(), &instants).await?);
    }
    for (event, users) in ranked.iter_mut().zip(users) {
        event.users = users;
    }
    let data = ranked.into_iter().map(TopEventRow::from).collect();
    Ok(TopEventsAnswer { from: asked.from, to: asked.to, timezone: zone, data })
}

impl From<TopEvent> for TopEventRow {
    fn from(event: TopEvent) -> Self {
        Self { event_type: event.event_type, count: event.count, users: event.users }
    }
}
