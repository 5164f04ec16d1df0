//! People who may sign in.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, SessionId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::accounts;
use crate::{mail_tokens, sessions};

/// An account. The hash never leaves the auth service.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Trimmed and in lower case.
    pub email: String,
    /// bcrypt. `None`: the account signs in with a provider alone.
    pub password_hash: Option<String>,
    /// What to call the person.
    pub full_name: Option<String>,
    /// The system role that sees every project.
    pub is_admin: bool,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was proved that whoever holds it reads mail at its address.
    pub email_verified_at: Option<DateTime<Utc>>,
}

pub(crate) type Row =
    (Uuid, String, Option<String>, Option<String>, bool, DateTime<Utc>, Option<DateTime<Utc>>);

impl From<Row> for Account {
    fn from((id, email, password_hash, full_name, is_admin, created_at, email_verified_at): Row) -> Self {
        let id = AccountId(id);
        Self { id, email, password_hash, full_name, is_admin, created_at, email_verified_at }
    }
}

/// What a new account is made of.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    /// Trimmed and in lower case.
    pub email: &'a str,
    /// bcrypt. `None`: the account signs in with a provider alone.
    pub password_hash: Option<&'a str>,
    /// What to call the person.
    pub full_name: Option<&'a str>,
    /// The system role.
    pub is_admin: bool,
    /// Whether somebody vouches for the address already.
    pub email_verified: bool,
}

/// Creates an account.
///
/// # Errors
/// [`StorageError::Conflict`] when the address has one.
pub async fn create(conn: &mut AsyncPgConnection, new: NewAccount<'_>) -> Result<Account, StorageError> {
    let row: Row = diesel::insert_into(accounts::table)
        .values((
            accounts::id.eq(AccountId::new().0),
            accounts::email.eq(new.email),
            accounts::password_hash.eq(new.password_hash),
            accounts::full_name.eq(new.full_name),
            accounts::is_admin.eq(new.is_admin),
            accounts::email_verified_at.eq(new.email_verified.then(Utc::now)),
        ))
        .get_result(conn)
        .await?;
    Ok(row.into())
}

/// The account of an e-mail address.
///
/// # Errors
/// When the database fails.
pub async fn find_by_email(
    conn: &mut AsyncPgConnection,
    email: &str,
) -> Result<Option<Account>, StorageError> {
    let row: Option<Row> = accounts::table.filter(accounts::email.eq(email)).first(conn).await.optional()?;
    Ok(row.map(Into::into))
}

/// An account by id.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut AsyncPgConnection, id: AccountId) -> Result<Option<Account>, StorageError> {
    let row: Option<Row> = accounts::table.find(id.0).first(conn).await.optional()?;
    Ok(row.map(Into::into))
}

/// The oldest system admin, if there is one.
///
/// # Errors
/// When the database fails.
pub async fn first_admin(conn: &mut AsyncPgConnection) -> Result<Option<Account>, StorageError> {
    let row: Option<Row> = accounts::table
        .filter(accounts::is_admin)
        .order(accounts::created_at)
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(Into::into))
}

/// Gives an account another password. `false` when there is no such account.
///
/// # Errors
/// When the database fails.
pub async fn set_password(
    conn: &mut AsyncPgConnection,
    id: AccountId,
    password_hash: &str,
) -> Result<bool, StorageError> {
    let changed = diesel::update(accounts::table.find(id.0))
        .set(accounts::password_hash.eq(password_hash))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Gives an account another password, whatever it had, and ends its sessions. `false` when there is no such account.
///
/// # Errors
/// When the database fails.
pub async fn reset_password(
    conn: &mut AsyncPgConnection,
    id: AccountId,
    password_hash: &str,
) -> Result<bool, StorageError> {
    conn.transaction(async |conn| {
        let changed = set_password(conn, id, password_hash).await?;
        mail_tokens::revoke(conn, id).await?;
        sessions::end_all(conn, id, None).await?;
        Ok(changed)
    })
    .await
}

/// Stores another hash of the password that an account has, unless it has another password by then.
///
/// # Errors
/// When the database fails.
pub async fn rehash_password(
    conn: &mut AsyncPgConnection,
    id: AccountId,
    old_hash: &str,
    new_hash: &str,
) -> Result<bool, StorageError> {
    let changed = diesel::update(accounts::table.find(id.0).filter(accounts::password_hash.eq(old_hash)))
        .set(accounts::password_hash.eq(new_hash))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Gives an account another password instead of `old_hash`, and ends its sessions but for the one to `keep`. `false`
/// when the password is another one by then.
///
/// # Errors
/// When the database fails.
pub async fn replace_password(
    conn: &mut AsyncPgConnection,
    id: AccountId,
    old_hash: &str,
    new_hash: &str,
    keep: SessionId,
) -> Result<bool, StorageError> {
    conn.transaction(async |conn| {
        let changed = rehash_password(conn, id, old_hash, new_hash).await?;
        if changed {
            mail_tokens::revoke(conn, id).await?;
            sessions::end_all(conn, id, Some(keep)).await?;
        }
        Ok(changed)
    })
    .await
}
