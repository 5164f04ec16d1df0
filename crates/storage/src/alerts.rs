//! Alerts: what looks out for the numbers of insights.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, AlertId, InsightId, ProjectId};
use millrace_domain::workspace::alert::{Condition, Reading, Standing};
use millrace_domain::workspace::sharing::{Kept, Member, Visibility};
use serde_json::Value;
use uuid::Uuid;

use self::history::EventKind;
use self::row::{Row, State, alert};
use self::secrets::KeptSecret;
use crate::error::StorageError;
use crate::kept::{by_name, seen_by, unchanged};
use crate::schema::{alert_states, alerts};

pub mod deliveries;
pub mod evaluation;
pub mod history;
pub(crate) mod of_insight;
mod row;
pub mod secrets;

/// An alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// The project it belongs to.
    pub project_id: ProjectId,
    /// Whose number it looks at.
    pub insight_id: InsightId,
    /// What it is called.
    pub name: String,
    /// Whose it is and who sees it.
    pub kept: Kept,
    /// What it looks out for.
    pub condition: Condition,
    /// How many readings in a row decide.
    pub times: u16,
    /// How often it looks, in seconds.
    pub every_seconds: u32,
    /// Whether it looks at all.
    pub enabled: bool,
    /// Whether its owner gets a mail.
    pub by_mail: bool,
    /// Where it is posted.
    pub webhook_url: Option<String>,
    /// Changes with every change that somebody makes.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Where it stands.
    pub standing: Standing,
    /// What it read last.
    pub reading: Reading,
    /// Why it could not read, the last time.
    pub error: Option<String>,
    /// When it looked last.
    pub evaluated_at: Option<DateTime<Utc>>,
}

/// What an alert is made of; in a change, `None` leaves it as it is.
#[derive(Clone, Debug, Default, Insertable, AsChangeset)]
#[diesel(table_name = alerts)]
pub struct Content<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    /// Who sees it.
    pub visibility: Option<&'static str>,
    /// What it looks out for: a [`Condition`].
    pub condition: Option<Value>,
    /// How many readings in a row decide.
    pub times: Option<i16>,
    /// How often it looks, in seconds.
    pub every_seconds: Option<i32>,
    /// Whether it looks at all.
    pub enabled: Option<bool>,
    /// Whether its owner gets a mail.
    pub by_mail: Option<bool>,
    /// Where it is posted; `Some(None)`: nowhere.
    pub webhook_url: Option<Option<&'a str>>,
}

impl Content<'_> {
    /// Whether the whole project is to see it.
    fn shows(&self) -> bool {
        self.visibility == Some(Visibility::Project.as_str())
    }
}

/// Makes an alert, which looks at once; every part of its content but the webhook must be there, and with that a `secret`.
///
/// # Errors
/// [`StorageError::Missing`] when the insight or the owner do not exist, or the insight is private and the alert is not.
pub async fn create(
    conn: &mut AsyncPgConnection,
    id: AlertId,
    (project, insight): (ProjectId, InsightId),
    owner: AccountId,
    content: Content<'_>,
    secret: Option<&KeptSecret>,
    now: DateTime<Utc>,
) -> Result<Alert, StorageError> {
    conn.transaction(async |conn| {
        let seen = of_insight::visibility(conn, project, insight).await?;
        if content.shows() && seen != Some(Visibility::Project) {
            return Err(StorageError::Missing("an insight that the project sees".to_owned()));
        }
        let row: Row = diesel::insert_into(alerts::table)
            .values((
                alerts::id.eq(id.0),
                alerts::project_id.eq(project.0),
                alerts::insight_id.eq(insight.0),
                alerts::owner_id.eq(owner.0),
                alerts::created_at.eq(now),
                alerts::updated_at.eq(now),
                content,
            ))
            .returning(Row::as_returning())
            .get_result(conn)
            .await?;
        secrets::keep(conn, id, secret).await?;
        let state: State = diesel::insert_into(alert_states::table)
            .values(alert_states::alert_id.eq(row.id))
            .returning(State::as_returning())
            .get_result(conn)
            .await?;
        alert((row, state))
    })
    .await
}

/// An alert, whoever may see it.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: AlertId,
) -> Result<Option<Alert>, StorageError> {
    let found: Option<(Row, State)> = alerts::table
        .inner_join(alert_states::table.on(alert_states::alert_id.eq(alerts::id)))
        .filter(alerts::id.eq(id.0))
        .filter(alerts::project_id.eq(project.0))
        .select((Row::as_select(), State::as_select()))
        .first(conn)
        .await
        .optional()?;
    found.map(alert).transpose()
}

/// Changes an alert that is still in `version`; `None` if it is not, or is gone, or if the project is to see it and does
/// not see its insight. It looks at once, and whoever looks at the moment does so in vain. One that is switched off is
/// over.
///
/// # Errors
/// When the database fails.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: AlertId,
    version: i64,
    content: Content<'_>,
    secret: Option<Option<&KeptSecret>>,
    now: DateTime<Utc>,
) -> Result<Option<Alert>, StorageError> {
    let unchanged = unchanged!(alerts, project, id, version);
    let off = content.enabled == Some(false);
    conn.transaction(async |conn| {
        if content.shows() {
            let insight: Option<Uuid> = unchanged.select(alerts::insight_id).first(conn).await.optional()?;
            let Some(insight) = insight else { return Ok(None) };
            let seen = of_insight::visibility(conn, project, InsightId(insight)).await?;
            if seen != Some(Visibility::Project) {
                return Ok(None);
            }
        }
        let row: Option<Row> = diesel::update(unchanged)
            .set((content, alerts::version.eq(version + 1), alerts::updated_at.eq(now)))
            .returning(Row::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        if let Some(secret) = secret {
            secrets::keep(conn, id, secret).await?;
        }
        let before = alert_states::table.find(id.0).select(alert_states::firing).for_update();
        let was_firing: bool = before.first(conn).await?;
        let state: State = diesel::update(alert_states::table.find(id.0))
            .set((
                alert_states::due_at.eq(diesel::dsl::now),
                alert_states::holder.eq(None::<Uuid>),
                alert_states::against.eq(0),
                off.then_some(alert_states::firing.eq(false)),
            ))
            .returning(State::as_returning())
            .get_result(conn)
            .await?;
        let alert = alert((row, state))?;
        if off && was_firing {
            history::note(conn, &alert, EventKind::Resolved, alert.reading, now).await?;
        }
        Ok(Some(alert))
    })
    .await
}

/// Deletes an alert that is still in `version`, with its history. Whether it did.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: AlertId,
    version: i64,
) -> Result<bool, StorageError> {
    Ok(diesel::delete(unchanged!(alerts, project, id, version)).execute(conn).await? == 1)
}

/// What alerts are ordered by.
pub type Place = (String, AlertId);

impl Alert {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.name.clone(), self.id)
    }
}

/// At most `limit` of the alerts that a member sees, by name, of those `after` a place.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    member: Member,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Alert>, StorageError> {
    let all = alerts::table
        .inner_join(alert_states::table.on(alert_states::alert_id.eq(alerts::id)))
        .filter(alerts::project_id.eq(project.0))
        .limit(limit.into())
        .select((Row::as_select(), State::as_select()))
        .into_boxed();
    let query = by_name!(after, alerts, seen_by!(member, alerts, all));
    let rows: Vec<(Row, State)> = query.load(conn).await?;
    rows.into_iter().map(alert).collect()
}
