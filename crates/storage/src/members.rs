//! Who belongs to a project, and as what.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::{Role, UnknownRole};
use millrace_domain::ids::{AccountId, ProjectId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::members;

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

fn parse(role: &str) -> Result<Role, StorageError> {
    role.parse().map_err(|e: UnknownRole| StorageError::Corrupt(e.to_string()))
}
