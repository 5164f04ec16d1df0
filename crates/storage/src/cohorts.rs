//! Cohorts: saved sets of users, as definitions.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Jsonb};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::cohort;
use millrace_domain::ids::{AccountId, CohortId, ProjectId};
use millrace_domain::workspace::sharing::{Kept, Visibility};
use serde_json::Value;
use uuid::Uuid;

use crate::error::StorageError;
use crate::kept::{by_name, unchanged};
use crate::schema::cohorts;

/// A cohort.
#[derive(Clone, Debug)]
pub struct Cohort {
    /// Its id.
    pub id: CohortId,
    /// What it is called.
    pub name: String,
    /// Who belongs to it, as it was written.
    pub definition: Value,
    /// Whose it is; every member of the project sees it.
    pub kept: Kept,
    /// Changes with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = cohorts)]
struct Row {
    id: Uuid,
    name: String,
    definition: Value,
    owner_id: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Cohort {
    fn from(row: Row) -> Self {
        let Row { id, name, definition, owner_id, version, created_at, updated_at } = row;
        let kept = Kept { owner: owner_id.map(AccountId), visibility: Visibility::Project };
        Self { id: CohortId(id), name, definition, kept, version, created_at, updated_at }
    }
}

/// What a cohort says; in a change, `None` leaves it as it is.
#[derive(Clone, Debug, Default, Insertable, AsChangeset)]
#[diesel(table_name = cohorts)]
pub struct Content<'a> {
    /// What it is called.
    pub name: Option<&'a str>,
    /// Who belongs to it.
    pub definition: Option<&'a Value>,
}

/// Keeps a cohort; every part of its content must be there.
///
/// # Errors
/// [`StorageError::Missing`] when project or owner do not exist.
pub async fn create(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    owner: AccountId,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Cohort, StorageError> {
    let row: Row = diesel::insert_into(cohorts::table)
        .values((
            cohorts::id.eq(CohortId::new().0),
            cohorts::project_id.eq(project.0),
            cohorts::owner_id.eq(owner.0),
            cohorts::created_at.eq(now),
            cohorts::updated_at.eq(now),
            content,
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await?;
    Ok(row.into())
}

/// Those of these cohorts that are there, in any order.
///
/// # Errors
/// When the database fails.
pub async fn among(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    ids: impl IntoIterator<Item = CohortId>,
) -> Result<Vec<Cohort>, StorageError> {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    let rows: Vec<Row> = cohorts::table
        .filter(cohorts::project_id.eq(project.0))
        .filter(cohorts::id.eq_any(ids))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Cohort::from).collect())
}

/// A cohort.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: CohortId,
) -> Result<Option<Cohort>, StorageError> {
    Ok(among(conn, project, [id]).await?.pop())
}

/// At most `limit` of a project's cohorts by name, of those after a name and id.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    after: Option<(String, CohortId)>,
    limit: u16,
) -> Result<Vec<Cohort>, StorageError> {
    let all = cohorts::table
        .filter(cohorts::project_id.eq(project.0))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    let query = by_name!(after, cohorts, all);
    let rows: Vec<Row> = query.load(conn).await?;
    Ok(rows.into_iter().map(Cohort::from).collect())
}

/// Changes a cohort that is still in `version`; `None` if it is not, or is gone.
///
/// # Errors
/// When the database fails.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: CohortId,
    version: i64,
    content: Content<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Cohort>, StorageError> {
    let row: Option<Row> = diesel::update(unchanged!(cohorts, project, id, version))
        .set((content, cohorts::version.eq(version + 1), cohorts::updated_at.eq(now)))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.map(Cohort::from))
}

/// Deletes a cohort that is still in `version`. Whether it did.
///
/// # Errors
/// When the database fails.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    id: CohortId,
    version: i64,
) -> Result<bool, StorageError> {
    Ok(diesel::delete(unchanged!(cohorts, project, id, version)).execute(conn).await? == 1)
}

/// Takes a user out of the lists of a project's cohorts.
///
/// # Errors
/// When the database fails.
pub async fn forget_user(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: &str,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        let naming = diesel::dsl::sql::<Bool>("jsonb_path_exists(definition, ")
            .sql("'$.**.users[*] ? (@ == $user)', ")
            .bind::<Jsonb, _>(serde_json::json!({ "user": user }))
            .sql(")");
        let rows: Vec<Row> = cohorts::table
            .filter(cohorts::project_id.eq(project.0))
            .filter(naming)
            .order(cohorts::id)
            .select(Row::as_select())
            .for_update()
            .load(conn)
            .await?;
        for Row { id, mut definition, version, .. } in rows {
            cohort::forget_user(&mut definition, user);
            diesel::update(cohorts::table.find(id))
                .set((cohorts::definition.eq(definition), cohorts::version.eq(version + 1)))
                .execute(conn)
                .await?;
        }
        Ok(())
    })
    .await
}
