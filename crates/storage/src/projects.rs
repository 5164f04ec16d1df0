//! Projects.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::Role;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{AccountId, JobId, ProjectId};
use millrace_domain::jobs::task::Task;
use uuid::Uuid;

use crate::erasure::stop_appends;
use crate::error::StorageError;
use crate::jobs::{self, Job};
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
    /// How many days it keeps its events; `None`: for ever.
    pub retention_days: Option<u32>,
    /// Whether counts and sets stay when the events go.
    pub keeps_roll_ups: bool,
    /// How often it has got another zone.
    pub zone_changes: i32,
    /// The zone whose days its sets are of; `None` while they are made anew for another.
    pub sets_zone: Option<TimeZone>,
    /// Its users have numbers below this.
    pub users: u32,
    /// Events before this may have been deleted for their age.
    pub events_since: Option<DateTime<Utc>>,
    /// How often such events were.
    pub expiries: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = projects, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    name: String,
    timezone: String,
    created_at: DateTime<Utc>,
    retention_days: Option<i32>,
    keeps_roll_ups: bool,
    zone_changes: i32,
    sets_changes: i32,
    next_user_no: i32,
    events_since: Option<DateTime<Utc>>,
    expiries: i64,
}

fn parse(row: Row) -> Result<Project, StorageError> {
    let timezone = TimeZone::parse(&row.timezone).map_err(|e| StorageError::Corrupt(e.to_string()))?;
    Ok(Project {
        id: ProjectId(row.id),
        name: row.name,
        timezone,
        created_at: row.created_at,
        retention_days: row.retention_days.map(i32::unsigned_abs),
        keeps_roll_ups: row.keeps_roll_ups,
        zone_changes: row.zone_changes,
        sets_zone: (row.sets_changes == row.zone_changes).then_some(timezone),
        users: row.next_user_no.unsigned_abs(),
        events_since: row.events_since,
        expiries: row.expiries,
    })
}

/// What is to be another from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its name.
    pub name: Option<String>,
    /// The zone its days are days of.
    pub timezone: Option<TimeZone>,
    /// How many days it keeps its events; `Some(None)`: for ever.
    pub retention_days: Option<Option<u32>>,
    /// Whether counts and sets stay when the events go.
    pub keeps_roll_ups: Option<bool>,
}

#[derive(AsChangeset)]
#[diesel(table_name = projects)]
struct Changeset<'a> {
    name: Option<&'a str>,
    timezone: Option<&'a str>,
    retention_days: Option<Option<i32>>,
    keeps_roll_ups: Option<bool>,
}

/// What became of a project.
#[derive(Debug)]
pub struct Changed {
    /// What it was.
    pub before: Project,
    /// What it is.
    pub after: Project,
    /// The job that makes its sets anew, if it has got another zone. Until that has ended, nothing is read from them.
    pub rebuild: Option<Job>,
}

/// Changes a project as an account wants, or whoever runs the system. `None` when there is none.
///
/// # Errors
/// When the database fails; [`StorageError::Unavailable`] also when appends that began with the old zone take long.
pub async fn change(
    conn: &mut AsyncPgConnection,
    id: ProjectId,
    changes: &Changes,
    by: Option<AccountId>,
) -> Result<Option<Changed>, StorageError> {
    let days = |days: Option<u32>| days.map(|days| i32::try_from(days).unwrap_or(i32::MAX));
    let changeset = Changeset {
        name: changes.name.as_deref(),
        timezone: changes.timezone.map(TimeZone::name),
        retention_days: changes.retention_days.map(days),
        keeps_roll_ups: changes.keeps_roll_ups,
    };
    conn.transaction(async |conn| {
        // An append reads the zone and writes the days of that zone: none may have read the old one and write later.
        if changes.timezone.is_some() {
            stop_appends(conn).await?;
        }
        let before: Option<Row> = projects::table
            .find(id.0)
            .select(Row::as_select())
            .for_no_key_update()
            .first(conn)
            .await
            .optional()?;
        let Some(before) = before.map(parse).transpose()? else { return Ok(None) };
        if *changes == Changes::default() {
            return Ok(Some(Changed { after: before.clone(), before, rebuild: None }));
        }
        let moves = changes.timezone.is_some_and(|zone| zone != before.timezone);
        let after: Row = diesel::update(projects::table.find(id.0))
            .set((changeset, projects::zone_changes.eq(projects::zone_changes + i32::from(moves))))
            .returning(Row::as_select())
            .get_result(conn)
            .await?;
        // Here, because there is no second chance: whoever asks for the same zone again changes nothing.
        let rebuild = match moves {
            true => Some(jobs::create(conn, JobId::new(), Some(id), &Task::Rebuild, by).await?),
            false => None,
        };
        Ok(Some(Changed { before, after: parse(after)?, rebuild }))
    })
    .await
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
        .returning(Row::as_select())
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
    let row: Option<Row> =
        projects::table.find(id.0).select(Row::as_select()).first(conn).await.optional()?;
    row.map(parse).transpose()
}

/// Every project, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<Project>, StorageError> {
    let rows: Vec<Row> =
        projects::table.order(projects::created_at).select(Row::as_select()).load(conn).await?;
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
        .select(Row::as_select())
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
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(parse).collect()
}
