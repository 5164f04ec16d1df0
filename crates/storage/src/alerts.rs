//! Alerts: what looks out for the numbers of insights.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, AlertId, InsightId, ProjectId};
use millrace_domain::workspace::alert::{Condition, Reading, Standing};
use millrace_domain::workspace::sharing::{Kept, Member, Visibility};
use serde_json::Value;
use uuid::Uuid;

use crate::error::StorageError;
use crate::insights::read_visibility;
use crate::schema::{alert_states, alerts};

pub mod deliveries;
pub mod evaluation;
pub mod history;

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
    /// What that is signed with.
    pub webhook_secret: Option<String>,
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

#[derive(Queryable, Selectable)]
#[diesel(table_name = alerts)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    insight_id: Uuid,
    name: String,
    owner_id: Option<Uuid>,
    visibility: String,
    condition: Value,
    times: i16,
    every_seconds: i32,
    enabled: bool,
    by_mail: bool,
    webhook_url: Option<String>,
    webhook_secret: Option<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_states)]
struct State {
    firing: bool,
    against: i16,
    number: Option<f64>,
    previous: Option<f64>,
    error: Option<String>,
    evaluated_at: Option<DateTime<Utc>>,
}

fn alert((row, state): (Row, State)) -> Result<Alert, StorageError> {
    let condition = serde_json::from_value(row.condition);
    Ok(Alert {
        id: AlertId(row.id),
        project_id: ProjectId(row.project_id),
        insight_id: InsightId(row.insight_id),
        name: row.name,
        kept: Kept { owner: row.owner_id.map(AccountId), visibility: read_visibility(&row.visibility)? },
        condition: condition.map_err(|error| StorageError::Corrupt(error.to_string()))?,
        times: row.times.unsigned_abs(),
        every_seconds: row.every_seconds.unsigned_abs(),
        enabled: row.enabled,
        by_mail: row.by_mail,
        webhook_url: row.webhook_url,
        webhook_secret: row.webhook_secret,
        version: row.version,
        created_at: row.created_at,
        updated_at: row.updated_at,
        standing: Standing { firing: state.firing, against: state.against.unsigned_abs() },
        reading: Reading { number: state.number, previous: state.previous },
        error: state.error,
        evaluated_at: state.evaluated_at,
    })
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
    /// What that is signed with.
    pub webhook_secret: Option<Option<&'a str>>,
}

/// Makes an alert, which looks at once; every part of its content but those of the webhook must be there.
///
/// # Errors
/// [`StorageError::Missing`] when the insight or the owner do not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    insight: InsightId,
    owner: AccountId,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Alert, StorageError> {
    conn.transaction(async |conn| {
        let row: Row = diesel::insert_into(alerts::table)
            .values((
                alerts::id.eq(AlertId::new().0),
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

/// Changes an alert that is still in `version`; `None` if it is not, or is gone. It looks at once, and whoever looks at
/// the moment does so in vain. One that is switched off is not firing.
///
/// # Errors
/// When the database fails.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: AlertId,
    version: i64,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Alert>, StorageError> {
    let unchanged =
        alerts::table.find(id.0).filter(alerts::project_id.eq(project.0)).filter(alerts::version.eq(version));
    let off = content.enabled == Some(false);
    conn.transaction(async |conn| {
        let row: Option<Row> = diesel::update(unchanged)
            .set((content, alerts::version.eq(version + 1), alerts::updated_at.eq(now)))
            .returning(Row::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        let Some(row) = row else { return Ok(None) };
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
        alert((row, state)).map(Some)
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
    let unchanged =
        alerts::table.find(id.0).filter(alerts::project_id.eq(project.0)).filter(alerts::version.eq(version));
    Ok(diesel::delete(unchanged).execute(conn).await? == 1)
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
    let mut query = alerts::table
        .inner_join(alert_states::table.on(alert_states::alert_id.eq(alerts::id)))
        .filter(alerts::project_id.eq(project.0))
        .order((alerts::name, alerts::id))
        .limit(limit.into())
        .select((Row::as_select(), State::as_select()))
        .into_boxed();
    if !member.system {
        let own = alerts::owner_id.eq(member.account.0).assume_not_null();
        query = query.filter(alerts::visibility.eq(Visibility::Project.as_str()).or(own));
    }
    if let Some((name, AlertId(id))) = after {
        let same_name = alerts::name.eq(name.clone()).and(alerts::id.gt(id));
        query = query.filter(alerts::name.gt(name).or(same_name));
    }
    let rows: Vec<(Row, State)> = query.load(conn).await?;
    rows.into_iter().map(alert).collect()
}
