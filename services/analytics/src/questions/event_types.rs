//! Everything that ever happened, by name.

use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_http::page::Page;
use millrace_storage::counts::TypeSummary;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// Which event types there are.
#[derive(Clone, Debug)]
pub struct EventTypesQuestion {
    /// Which of them.
    pub page: Page<EventType>,
}

/// An event type over all time.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypeRow {
    /// The type.
    #[schema(value_type = String, example = "page_view")]
    pub event_type: EventType,
    /// Its events.
    #[schema(example = 4200)]
    pub count: u64,
    /// The start of the quarter of an hour of the earliest one.
    pub first_seen: DateTime<Utc>,
    /// The start of the quarter of an hour of the latest one.
    pub last_seen: DateTime<Utc>,
}

/// A page of event types.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventTypesAnswer {
    /// By name.
    pub data: Vec<EventTypeRow>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}

impl EventTypesQuestion {
    /// Answers for a project.
    ///
    /// # Errors
    /// When the project does not exist or cannot be read.
    pub async fn answer(
        self,
        reader: &mut Reader,
        project: ProjectId,
    ) -> Result<EventTypesAnswer, AnalyticsError> {
        let project = reader.project(project).await?;
        let after = self.page.after.as_ref().map_or("", EventType::as_str);
        let mut found = reader.types(&project, after, self.page.probe()).await?;
        let next_cursor = self.page.cut(&mut found, |summary| summary.event_type.clone());
        Ok(EventTypesAnswer { data: found.into_iter().map(EventTypeRow::from).collect(), next_cursor })
    }
}

impl From<TypeSummary> for EventTypeRow {
    fn from(summary: TypeSummary) -> Self {
        let TypeSummary { event_type, count, first_seen, last_seen } = summary;
        Self { event_type, count, first_seen, last_seen }
    }
}
