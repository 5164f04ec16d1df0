//! Projects.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::Role;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{AccountId, ProjectId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::members;
use crate::schema::{members as memberships, projects};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name, for people.
    pub name: String,
    /// The zone its days are days of.
    pub timezone: TimeZone,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

type Row = (Uuid, String, String, DateTime<Utc>);
const COLUMNS: (projects::id, projects::name, projects::timezone, projects::created_at) =
    (projects::id, projects::name, projects::timezone, projects::created_at);

fn parse((id, name, timezone, created_at): Row) -> Result<Project, StorageError> {
    let timezone = TimeZone::parse(&timezone).map_err(|e| StorageError::Corrupt(e.to_string()))?;
    Ok(Project { id: ProjectId(id), name, timezone, created_at })
}

/// Creates a project.
///
/// # Errors
/// When the database fails.
pub async fn create(
    conn: &mut AsyncPgConnection,
    name: &str,
    timezone: TimeZone,
) -> Result<Project, StorageError> {
    let row: Row = diesel::insert_into(projects::table)
        .values((
            projects::id.eq(ProjectId::new().0),
            projects::name.eq(name),
            projects::timezone.eq(timezone.name()),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await?;
    parse(row)
}

/// Creates a project that belongs to an account.
///
/// # Errors
/// [`StorageError::Missing`] when the account does not exist.
pub async fn create_owned(
    conn: &mut AsyncPgConnection,
    name: &str,
    timezone: TimeZone,
    owner: AccountId,
) -> Result<Project, StorageError> {
    conn.transaction(async |conn| {
        let project = create(conn, name, timezone).await?;
        members::set(conn, project.id, owner, Role::Owner).await?;
        Ok(project)
    })
    .await
}

/// A project, if it exists.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut AsyncPgConnection, id: ProjectId) -> Result<Option<Project>, StorageError> {
    let row: Option<Row> = projects::table.find(id.0).select(COLUMNS).first(conn).await.optional()?;
    row.map(parse).transpose()
}

/// Every project, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<Project>, StorageError> {
    let rows: Vec<Row> = projects::table.order(projects::created_at).select(COLUMNS).load(conn).await?;
    rows.into_iter().map(parse).collect()
}

/// What projects are ordered by.
pub type Place = (DateTime<Utc>, ProjectId);

impl Project {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.created_at, self.id)
    }
}

/// At most `limit` projects, oldest first, of those `after` a place: those `of` an account, or all.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    of: Option<AccountId>,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Project>, StorageError> {
    let mut query = projects::table
        .order((projects::created_at, projects::id))
        .limit(limit.into())
        .select(COLUMNS)
        .into_boxed();
    if let Some(AccountId(account)) = of {
        let own = memberships::table.filter(memberships::account_id.eq(account));
        query = query.filter(projects::id.eq_any(own.select(memberships::project_id)));
    }
    if let Some((time, ProjectId(id))) = after {
        let same_time = projects::created_at.eq(time).and(projects::id.gt(id));
        query = query.filter(projects::created_at.gt(time).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(parse).collect()
}

/// The projects an account is a member of, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    conn: &mut AsyncPgConnection,
    account: AccountId,
) -> Result<Vec<Project>, StorageError> {
    let rows: Vec<Row> = projects::table
        .inner_join(memberships::table.on(memberships::project_id.eq(projects::id)))
        .filter(memberships::account_id.eq(account.0))
        .order(projects::created_at)
        .select(COLUMNS)
        .load(conn)
        .await?;
    rows.into_iter().map(parse).collect()
}
