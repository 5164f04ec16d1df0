//! Distinct users and what they did.

use chrono::{DateTime, Utc};
use millrace_domain::analytics::sessions;
use millrace_domain::ids::{EventId, ProjectId};
use millrace_domain::text::UserId;
use millrace_http::page::Page;
use millrace_storage::users::{self, Place, StoredEvent, User};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// A distinct user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserRow {
    /// The application's name for them.
    #[schema(example = "ada")]
    pub user_id: String,
    /// The time of their earliest event.
    pub first_seen: DateTime<Utc>,
    /// The time of their latest event.
    pub last_seen: DateTime<Utc>,
    /// What is known of them.
    #[schema(value_type = Object)]
    pub traits: Value,
}

/// A page of users.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsersAnswer {
    /// By their ids.
    pub data: Vec<UserRow>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}

/// How often a user did something.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserEventType {
    /// What.
    pub event_type: String,
    /// How often.
    pub count: u64,
}

/// A user, and what they did.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    /// The user.
    #[serde(flatten)]
    pub user: UserRow,
    /// All their events.
    pub events: u64,
    /// Their events by type, most first, then by name.
    pub event_types: Vec<UserEventType>,
}

/// An event as it is stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventRow {
    /// Its id.
    #[schema(value_type = String, format = Uuid)]
    pub event_id: EventId,
    /// What happened.
    pub event_type: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// The session that its sender put it in, or else the one that follows from the times of the user's events, named
    /// after its first.
    pub session_id: Option<String>,
    /// Whatever else its sender said.
    #[schema(value_type = Object)]
    pub properties: Value,
    /// About the sending rather than the happening.
    #[schema(value_type = Option<Object>)]
    pub context: Option<Value>,
}

/// A page of a user's events.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserEventsAnswer {
    /// The latest first.
    pub data: Vec<EventRow>,
    /// Where the next page begins; `null` after the last.
    pub next_cursor: Option<String>,
}

/// A page of the users with events.
///
/// # Errors
/// When the project does not exist or cannot be read.
pub async fn page(
    reader: &mut Reader,
    project: ProjectId,
    page: Page<String>,
) -> Result<UsersAnswer, AnalyticsError> {
    let project = reader.project(project).await?;
    let after = page.after.as_deref().unwrap_or_default();
    let conn = reader.events("users").await?;
    let mut found = users::page(conn, project.id, after, page.probe()).await?;
    let next_cursor = page.cut(&mut found, |user| user.user_id.clone());
    Ok(UsersAnswer { data: found.into_iter().map(UserRow::from).collect(), next_cursor })
}

/// A user.
///
/// # Errors
/// When there is no such user, or the project cannot be read.
pub async fn one(
    reader: &mut Reader,
    project: ProjectId,
    user: UserId,
) -> Result<UserAnswer, AnalyticsError> {
    let project = reader.project(project).await?;
    let conn = reader.events("the user").await?;
    let user = users::find(conn, project.id, &user).await?.ok_or(AnalyticsError::NoUser)?;
    let conn = reader.events("the user's event types").await?;
    let types = users::event_types(conn, project.id, user.user_no).await?;
    Ok(UserAnswer {
        user: user.into(),
        events: types.iter().map(|(_, count)| count).sum(),
        event_types: types
            .into_iter()
            .map(|(event_type, count)| UserEventType { event_type, count })
            .collect(),
    })
}

/// A page of a user's events.
///
/// # Errors
/// When there is no such user, or the project cannot be read.
pub async fn events(
    reader: &mut Reader,
    project: ProjectId,
    id: UserId,
    page: Page<Place>,
) -> Result<UserEventsAnswer, AnalyticsError> {
    let project = reader.project(project).await?;
    let conn = reader.events("the user").await?;
    let user = users::find(conn, project.id, &id).await?.ok_or(AnalyticsError::NoUser)?;
    let conn = reader.events("the user's events").await?;
    let mut found = users::events(conn, project.id, user.user_no, page.after, page.probe()).await?;
    let next_cursor = page.cut(&mut found, |event| (event.occurred_at, EventId(event.event_id)));
    let nameless = |event: &&mut StoredEvent| event.session_id.is_none();
    let times: Vec<_> = found.iter_mut().filter(nameless).map(|event| event.occurred_at).collect();
    if let Some(oldest) = times.last() {
        let earliest = users::session_start(conn, project.id, user.user_no, *oldest).await?;
        let beginnings = sessions::beginnings(&times, earliest);
        for (event, begun) in found.iter_mut().filter(nameless).zip(beginnings) {
            event.session_id = Some(sessions::name(&id, begun));
        }
    }
    Ok(UserEventsAnswer { data: found.into_iter().map(EventRow::from).collect(), next_cursor })
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        let User { user_id, user_no: _, traits, first_seen, last_seen } = user;
        Self { user_id, first_seen, last_seen, traits }
    }
}

impl From<StoredEvent> for EventRow {
    fn from(event: StoredEvent) -> Self {
        let StoredEvent { event_id, event_type, occurred_at, received_at, session_id, properties, context } =
            event;
        let event_id = EventId(event_id);
        Self { event_id, event_type, occurred_at, received_at, session_id, properties, context }
    }
}
