//! Insights: questions that people keep, and notes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, InsightId, ProjectId};
use millrace_domain::workspace::sharing::{Kept, UnknownVisibility, Visibility};
use serde_json::Value;
use uuid::Uuid;

use crate::alerts::{Alert, of_insight};
use crate::dashboards::{self, Dashboard};
use crate::error::StorageError;
use crate::kept::unchanged;
use crate::schema::insights;

pub mod list;

/// An insight.
#[derive(Clone, Debug)]
pub struct Insight {
    /// Its id.
    pub id: InsightId,
    /// What it is called.
    pub title: String,
    /// What it says, in Markdown.
    pub body: String,
    /// What it asks; `None` for a note.
    pub query: Option<Value>,
    /// Whose it is and who sees it.
    pub kept: Kept,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Changes with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = insights)]
struct Row {
    id: Uuid,
    title: String,
    body: String,
    query: Option<Value>,
    owner_id: Option<Uuid>,
    visibility: String,
    tags: Vec<String>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Insight {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let Row { id, title, body, query, owner_id, visibility, tags, version, created_at, updated_at } = row;
        let kept = Kept { owner: owner_id.map(AccountId), visibility: read_visibility(&visibility)? };
        Ok(Self { id: InsightId(id), title, body, query, kept, tags, version, created_at, updated_at })
    }
}

/// Who sees something, as the database says it.
pub(crate) fn read_visibility(text: &str) -> Result<Visibility, StorageError> {
    text.parse().map_err(|error: UnknownVisibility| StorageError::Corrupt(error.to_string()))
}

/// What an insight says; in a change, `None` leaves it as it is.
#[derive(Clone, Debug, Default, Insertable, AsChangeset)]
#[diesel(table_name = insights)]
pub struct Content<'a> {
    /// What it is called.
    pub title: Option<&'a str>,
    /// What it says, in Markdown.
    pub body: Option<&'a str>,
    /// What it asks; `Some(None)` makes it a note.
    pub query: Option<Option<Value>>,
    /// Who sees it.
    pub visibility: Option<&'static str>,
    /// Words to find it by.
    pub tags: Option<Vec<&'a str>>,
}

/// Keeps an insight; every part of its content but the query must be there.
///
/// # Errors
/// [`StorageError::Missing`] when project or owner do not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: AccountId,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Insight, StorageError> {
    let row: Row = diesel::insert_into(insights::table)
        .values((
            insights::id.eq(InsightId::new().0),
            insights::project_id.eq(project.0),
            insights::owner_id.eq(owner.0),
            insights::created_at.eq(now),
            insights::updated_at.eq(now),
            content,
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await?;
    row.try_into()
}

/// An insight, whoever may see it.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: InsightId,
) -> Result<Option<Insight>, StorageError> {
    let row: Option<Row> = insights::table
        .find(id.0)
        .filter(insights::project_id.eq(project.0))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Insight::try_from).transpose()
}

/// Those of these insights that are there, in any order, whoever may see them.
///
/// # Errors
/// When the database fails.
pub async fn among(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: &[InsightId],
) -> Result<Vec<Insight>, StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<Row> = insights::table
        .filter(insights::project_id.eq(project.0))
        .filter(insights::id.eq_any(ids))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Insight::try_from).collect()
}

/// What came of a change.
#[derive(Debug)]
pub struct Changed {
    /// The insight.
    pub insight: Insight,
    /// The alerts on it that had to change with it.
    pub alerts: Vec<Alert>,
}

/// Changes an insight that is still in `version`; `None` if it is not, or is gone. With one that is private, its owner's
/// alerts on it are private and those of others are switched off: what it hides no alert tells.
///
/// # Errors
/// When the database fails.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: InsightId,
    version: i64,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Changed>, StorageError> {
    let unchanged = unchanged!(insights, project, id, version);
    conn.transaction(async |conn| {
        let row: Option<Row> = diesel::update(unchanged)
            .set((content, insights::version.eq(version + 1), insights::updated_at.eq(now)))
            .returning(Row::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        let Some(insight) = row.map(Insight::try_from).transpose()? else { return Ok(None) };
        let alerts = match insight.kept.visibility {
            Visibility::Project => Vec::new(),
            Visibility::Private => of_insight::hide(conn, project, id, insight.kept, now).await?,
        };
        Ok(Some(Changed { insight, alerts }))
    })
    .await
}

/// What went with a deleted insight.
#[derive(Debug)]
pub struct Gone {
    /// The alerts on it.
    pub alerts: Vec<Alert>,
    /// The dashboards that it stood on, as they are without it.
    pub dashboards: Vec<Dashboard>,
}

/// Deletes an insight that is still in `version`, with the alerts on it, and takes it off dashboards, which become
/// another version. `None` if it is not in that version, or is gone.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: InsightId,
    version: i64,
    now: DateTime<Utc>,
) -> Result<Option<Gone>, StorageError> {
    let unchanged = unchanged!(insights, project, id, version);
    conn.transaction(async |conn| {
        // From here on nobody puts an alert on it, or it on a dashboard.
        let held: Option<Uuid> = unchanged.select(insights::id).for_update().first(conn).await.optional()?;
        if held.is_none() {
            return Ok(None);
        }
        let alerts = of_insight::hold(conn, project, id).await?;
        let dashboards = dashboards::without(conn, id, now).await?;
        diesel::delete(insights::table.find(id.0)).execute(conn).await?;
        Ok(Some(Gone { alerts, dashboards }))
    })
    .await
}
