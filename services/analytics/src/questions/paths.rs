//! Paths: what users did after something, or before it.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::paths::{Path, PathsFold, PathsQuery};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// A path that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathRow {
    /// The types of its events, in the order in which they happened.
    pub events: Vec<String>,
    /// How often it was taken.
    pub count: u64,
    /// By how many distinct users.
    pub users: u64,
}

/// The paths taken most.
#[derive(Debug, Serialize, ToSchema)]
pub struct PathsAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// By count, then by users, then by their events.
    pub data: Vec<PathRow>,
}

/// Answers for a project.
///
/// # Errors
/// When there are too many events or paths, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: PathsQuery,
    filter: Option<Filter>,
) -> Result<PathsAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let instants = asked.period.instants(zone);
    let events = Selection { event: EventSelector::Any, filter };
    let mut fold = PathsFold::new(&query);
    let _room = reader.user_by_user(project, &events, &instants, &mut fold).await?;
    let data = fold.finish()?.into_iter().map(PathRow::from).collect();
    Ok(PathsAnswer { from: asked.from, to: asked.to, timezone: zone, data })
}

impl From<Path> for PathRow {
    fn from(path: Path) -> Self {
        Self { events: path.events, count: path.count, users: path.users }
    }
}
