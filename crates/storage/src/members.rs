//! Who belongs to a project, and as what.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};

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
    role.map(|name| name.parse().map_err(|e: millrace_domain::access::UnknownRole| StorageError::Corrupt(e.to_string())))
        .transpose()
}
