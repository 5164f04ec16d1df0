//! Insights: questions that people keep, and notes.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, InsightId, ProjectId};
use millrace_domain::workspace::sharing::{Kept, Member, UnknownVisibility, Visibility};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::insights;

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

/// Changes an insight that is still in `version`; `None` if it is not, or is gone.
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
) -> Result<Option<Insight>, StorageError> {
    let unchanged = insights::table
        .find(id.0)
        .filter(insights::project_id.eq(project.0))
        .filter(insights::version.eq(version));
    let row: Option<Row> = diesel::update(unchanged)
        .set((content, insights::version.eq(version + 1), insights::updated_at.eq(now)))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    row.map(Insight::try_from).transpose()
}

/// Deletes an insight that is still in `version`, from dashboards too. Whether it did.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: InsightId,
    version: i64,
) -> Result<bool, StorageError> {
    let unchanged = insights::table
        .find(id.0)
        .filter(insights::project_id.eq(project.0))
        .filter(insights::version.eq(version));
    Ok(diesel::delete(unchanged).execute(conn).await? == 1)
}

/// How a list is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What was changed last comes first.
    #[default]
    Updated,
    /// What was made last comes first.
    Created,
    /// By title, then by id.
    Title,
}

/// Where an insight stands in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// In a list by time.
    Time(DateTime<Utc>, InsightId),
    /// In a list by title.
    Title(String, InsightId),
}

impl Insight {
    /// Where it stands in a list of this order.
    #[must_use]
    pub fn place(&self, order: Order) -> Place {
        match order {
            Order::Updated => Place::Time(self.updated_at, self.id),
            Order::Created => Place::Time(self.created_at, self.id),
            Order::Title => Place::Title(self.title.clone(), self.id),
        }
    }
}

/// Which insights a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Those whose title or body holds these words, in any case.
    pub words: Option<&'a str>,
    /// Those with this tag.
    pub tag: Option<String>,
    /// Those of this account.
    pub owner: Option<AccountId>,
}

/// At most `limit` of the insights that a member sees, of those `after` a place of the same order.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    member: Member,
    filter: &Filter<'_>,
    order: Order,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Insight>, StorageError> {
    let mut query = insights::table
        .filter(insights::project_id.eq(project.0))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if !member.system {
        let own = insights::owner_id.eq(member.account.0).assume_not_null();
        query = query.filter(insights::visibility.eq(Visibility::Project.as_str()).or(own));
    }
    if let Some(words) = filter.words {
        let pattern = containing(words);
        query = query.filter(insights::title.ilike(pattern.clone()).or(insights::body.ilike(pattern)));
    }
    if let Some(tag) = &filter.tag {
        query = query.filter(insights::tags.contains(vec![tag]));
    }
    if let Some(AccountId(owner)) = filter.owner {
        query = query.filter(insights::owner_id.eq(owner));
    }
    query = match order {
        Order::Updated => query.order((insights::updated_at.desc(), insights::id.desc())),
        Order::Created => query.order((insights::created_at.desc(), insights::id.desc())),
        Order::Title => query.order((insights::title, insights::id)),
    };
    query = match (order, after) {
        (_, None) => query,
        (Order::Updated, Some(Place::Time(time, InsightId(id)))) => {
            let same_time = insights::updated_at.eq(time).and(insights::id.lt(id));
            query.filter(insights::updated_at.lt(time).or(same_time))
        }
        (Order::Created, Some(Place::Time(time, InsightId(id)))) => {
            let same_time = insights::created_at.eq(time).and(insights::id.lt(id));
            query.filter(insights::created_at.lt(time).or(same_time))
        }
        (Order::Title, Some(Place::Title(title, InsightId(id)))) => {
            let same_title = insights::title.eq(title.clone()).and(insights::id.gt(id));
            query.filter(insights::title.gt(title).or(same_title))
        }
        (_, Some(_of_another_order)) => return Ok(Vec::new()),
    };
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(Insight::try_from).collect()
}

/// The pattern of `LIKE` for texts that hold these words as they are.
fn containing(words: &str) -> String {
    let literal = words.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{literal}%")
}
