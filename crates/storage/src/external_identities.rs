//! Who vouches for an account besides its password: identities that an OpenID provider has proved.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, IdentityId};
use uuid::Uuid;

use crate::accounts::{self as people, Account, NewAccount};
use crate::error::StorageError;
use crate::schema::{accounts, external_identities};
use crate::sessions;

/// An identity that may sign in to an account.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its id with us.
    pub id: IdentityId,
    /// Who vouches for it.
    pub issuer: String,
    /// The address that the issuer had proved when the two were linked.
    pub email_at_link: String,
    /// When that was.
    pub created_at: DateTime<Utc>,
    /// When it signed in last.
    pub last_used_at: DateTime<Utc>,
}

/// An identity that is to be linked.
#[derive(Clone, Copy, Debug)]
pub struct NewIdentity<'a> {
    /// Who vouches for it.
    pub issuer: &'a str,
    /// What the issuer calls it.
    pub subject: &'a str,
    /// The address that the issuer has proved, trimmed and in lower case.
    pub email: &'a str,
}

/// What became of an identity that was to be unlinked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It signs in no more.
    Done,
    /// The account has no such identity.
    Unknown,
    /// Nobody could sign in to the account any more.
    LastWay,
}

type Row = (Uuid, String, String, DateTime<Utc>, DateTime<Utc>);
type Columns = (
    external_identities::id,
    external_identities::issuer,
    external_identities::email_at_link,
    external_identities::created_at,
    external_identities::last_used_at,
);
const COLUMNS: Columns = (
    external_identities::id,
    external_identities::issuer,
    external_identities::email_at_link,
    external_identities::created_at,
    external_identities::last_used_at,
);

impl From<Row> for Identity {
    fn from((id, issuer, email_at_link, created_at, last_used_at): Row) -> Self {
        Self { id: IdentityId(id), issuer, email_at_link, created_at, last_used_at }
    }
}

/// The account that an identity signs in to, if the two are linked; notes that it did.
///
/// # Errors
/// When the database fails.
pub async fn recognise(
    conn: &mut AsyncPgConnection,
    issuer: &str,
    subject: &str,
    now: DateTime<Utc>,
) -> Result<Option<Account>, StorageError> {
    let identity = external_identities::table
        .filter(external_identities::issuer.eq(issuer))
        .filter(external_identities::subject.eq(subject));
    let account: Option<Uuid> = diesel::update(identity)
        .set(external_identities::last_used_at.eq(now))
        .returning(external_identities::account_id)
        .get_result(conn)
        .await
        .optional()?;
    match account {
        Some(account) => people::find(conn, AccountId(account)).await,
        None => Ok(None),
    }
}

/// Lets an identity sign in to an account.
///
/// # Errors
/// [`StorageError::Conflict`] when the identity is linked already.
pub async fn link(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    identity: NewIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::insert_into(external_identities::table)
        .values((
            external_identities::id.eq(IdentityId::new().0),
            external_identities::issuer.eq(identity.issuer),
            external_identities::subject.eq(identity.subject),
            external_identities::account_id.eq(account.0),
            external_identities::email_at_link.eq(identity.email),
            external_identities::created_at.eq(now),
            external_identities::last_used_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Gives an account whose address nobody has proved to whom the issuer has proved it for: the password and the sessions
/// of whoever registered the address end, and so does every other way in. `None` when the address was proved meanwhile,
/// or the account is gone.
///
/// # Errors
/// [`StorageError::Conflict`] when the identity is linked already.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    identity: NewIdentity<'_>,
    now: DateTime<Utc>,
) -> Result<Option<Account>, StorageError> {
    conn.transaction(async |conn| {
        let unproved = accounts::table.find(account.0).filter(accounts::email_verified_at.is_null());
        let claimed: Option<people::Row> = diesel::update(unproved)
            .set((accounts::password_hash.eq(None::<String>), accounts::email_verified_at.eq(Some(now))))
            .get_result(conn)
            .await
            .optional()?;
        let Some(claimed) = claimed else { return Ok(None) };
        sessions::end_all(conn, account, None).await?;
        diesel::delete(external_identities::table.filter(external_identities::account_id.eq(account.0)))
            .execute(conn)
            .await?;
        link(conn, account, identity, now).await?;
        Ok(Some(claimed.into()))
    })
    .await
}

/// Creates an account without a password for an identity.
///
/// # Errors
/// [`StorageError::Conflict`] when the address has an account, or the identity is linked already.
pub async fn create_account(
    conn: &mut AsyncPgConnection,
    identity: NewIdentity<'_>,
    full_name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Account, StorageError> {
    conn.transaction(async |conn| {
        let new = NewAccount {
            email: identity.email,
            password_hash: None,
            full_name,
            is_admin: false,
            email_verified: true,
        };
        let account = people::create(conn, new).await?;
        link(conn, account.id, identity, now).await?;
        Ok(account)
    })
    .await
}

/// The identities of an account, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    conn: &mut AsyncPgConnection,
    account: AccountId,
) -> Result<Vec<Identity>, StorageError> {
    let rows: Vec<Row> = external_identities::table
        .filter(external_identities::account_id.eq(account.0))
        .order(external_identities::created_at)
        .select(COLUMNS)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Takes an identity from an account, unless it is the last way to sign in.
///
/// # Errors
/// When the database fails.
pub async fn unlink(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    id: IdentityId,
) -> Result<Unlinked, StorageError> {
    conn.transaction(async |conn| {
        // Held until the end: of two that are unlinked at once, one is the last.
        let has_password: Option<bool> = accounts::table
            .find(account.0)
            .select(accounts::password_hash.is_not_null())
            .for_update()
            .first(conn)
            .await
            .optional()?;
        let linked: Vec<Uuid> = external_identities::table
            .filter(external_identities::account_id.eq(account.0))
            .select(external_identities::id)
            .load(conn)
            .await?;
        if !linked.contains(&id.0) {
            return Ok(Unlinked::Unknown);
        }
        if linked.len() == 1 && has_password != Some(true) {
            return Ok(Unlinked::LastWay);
        }
        diesel::delete(external_identities::table.find(id.0)).execute(conn).await?;
        Ok(Unlinked::Done)
    })
    .await
}
