//! Who belongs to a project, and as what.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::{Role, UnknownRole};
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_domain::membership::{self, Refusal};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::{accounts, members, projects};

/// Adds a member, or gives a member another role.
///
/// # Errors
/// [`StorageError::Missing`] when project or account do not exist.
pub async fn set(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    account: AccountId,
    role: Role,
) -> Result<(), StorageError> {
    diesel::insert_into(members::table)
        .values((
            members::project_id.eq(project.0),
            members::account_id.eq(account.0),
            members::role.eq(role.as_str()),
        ))
        .on_conflict((members::project_id, members::account_id))
        .do_update()
        .set(members::role.eq(role.as_str()))
        .execute(conn)
        .await?;
    Ok(())
}

/// An account's role in a project; `None` for a stranger.
///
/// # Errors
/// When the database fails.
pub async fn role(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    account: AccountId,
) -> Result<Option<Role>, StorageError> {
    let role: Option<String> =
        members::table.find((project.0, account.0)).select(members::role).first(conn).await.optional()?;
    role.as_deref().map(parse).transpose()
}

/// An account's role in each of its projects.
///
/// # Errors
/// When the database fails.
pub async fn roles(
    conn: &mut AsyncPgConnection,
    account: AccountId,
) -> Result<BTreeMap<ProjectId, Role>, StorageError> {
    let rows: Vec<(Uuid, String)> = members::table
        .filter(members::account_id.eq(account.0))
        .select((members::project_id, members::role))
        .load(conn)
        .await?;
    rows.iter().map(|(project, role)| Ok((ProjectId(*project), parse(role)?))).collect()
}

/// A member, as lists show them.
#[derive(Clone, Debug)]
pub struct Member {
    /// The account.
    pub account_id: AccountId,
    /// Its e-mail address.
    pub email: String,
    /// What to call the person.
    pub full_name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// When they were added.
    pub added_at: DateTime<Utc>,
}

type Row = (Uuid, String, Option<String>, String, DateTime<Utc>);
type Columns = (members::account_id, accounts::email, accounts::full_name, members::role, members::added_at);
const COLUMNS: Columns =
    (members::account_id, accounts::email, accounts::full_name, members::role, members::added_at);

fn member((account_id, email, full_name, role, added_at): Row) -> Result<Member, StorageError> {
    Ok(Member { account_id: AccountId(account_id), email, full_name, role: parse(&role)?, added_at })
}

/// What members of a project are ordered by.
pub type Place = (DateTime<Utc>, AccountId);

impl Member {
    /// Where it stands in the list.
    #[must_use]
    pub fn place(&self) -> Place {
        (self.added_at, self.account_id)
    }
}

/// At most `limit` of a project's members, longest first, of those `after` a place.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    after: Option<Place>,
    limit: u16,
) -> Result<Vec<Member>, StorageError> {
    let mut query = members::table
        .inner_join(accounts::table.on(accounts::id.eq(members::account_id)))
        .filter(members::project_id.eq(project.0))
        .order((members::added_at, members::account_id))
        .limit(limit.into())
        .select(COLUMNS)
        .into_boxed();
    if let Some((time, AccountId(id))) = after {
        let same_time = members::added_at.eq(time).and(members::account_id.gt(id));
        query = query.filter(members::added_at.gt(time).or(same_time));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(member).collect()
}

/// One of a project's members.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    account: AccountId,
) -> Result<Option<Member>, StorageError> {
    let row: Option<Row> = members::table
        .inner_join(accounts::table.on(accounts::id.eq(members::account_id)))
        .filter(members::project_id.eq(project.0))
        .filter(members::account_id.eq(account.0))
        .select(COLUMNS)
        .first(conn)
        .await
        .optional()?;
    row.map(member).transpose()
}

/// Adds a member. `false` when they are one already.
///
/// # Errors
/// [`StorageError::Missing`] when project or account do not exist.
pub async fn add(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    account: AccountId,
    role: Role,
) -> Result<bool, StorageError> {
    let added = diesel::insert_into(members::table)
        .values((
            members::project_id.eq(project.0),
            members::account_id.eq(account.0),
            members::role.eq(role.as_str()),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(added > 0)
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done; the role before.
    Done(Role),
    /// The project has no such member.
    NotAMember,
    /// It may not be.
    Refused(Refusal),
}

/// Gives a member the role `to`, or takes the member away, if somebody with the role `actor` may. Changes of one
/// project come one after the other: two owners who leave at once must not both be the last but one.
///
/// # Errors
/// When the database fails.
pub async fn change(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    account: AccountId,
    to: Option<Role>,
    actor: Role,
) -> Result<Changed, StorageError> {
    conn.transaction(async |conn| {
        let lock = projects::table.find(project.0).select(projects::id).for_no_key_update();
        if lock.first::<Uuid>(conn).await.optional()?.is_none() {
            return Ok(Changed::NotAMember);
        }
        let Some(from) = role(conn, project, account).await? else { return Ok(Changed::NotAMember) };
        let owners = members::table
            .filter(members::project_id.eq(project.0))
            .filter(members::role.eq(Role::Owner.as_str()))
            .count()
            .get_result(conn)
            .await?;
        if let Err(refusal) = membership::may_change(actor, from, to, owners) {
            return Ok(Changed::Refused(refusal));
        }
        match to {
            Some(to) => set(conn, project, account, to).await?,
            None => {
                diesel::delete(members::table.find((project.0, account.0))).execute(conn).await?;
            }
        }
        Ok(Changed::Done(from))
    })
    .await
}

fn parse(role: &str) -> Result<Role, StorageError> {
    role.parse().map_err(|e: UnknownRole| StorageError::Corrupt(e.to_string()))
}
