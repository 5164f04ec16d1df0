//! What the links in mails carry, and what showing it does. An account has one token of each kind that is good, the
//! newest; using it deletes it.
//!
//! Whatever uses a token locks the account first, so that two uses wait for each other and none sees the half of
//! another.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Timestamptz};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::AccountId;
use uuid::Uuid;

use crate::accounts::{self, Account};
use crate::error::StorageError;
use crate::mails::{self, Kind, Wish};
use crate::schema::{accounts as account_rows, mail_tokens, mails as mail_rows};

/// A token to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewMailToken<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// What it is for.
    pub kind: Kind,
    /// SHA-256 of its text.
    pub hash: &'a [u8; 32],
    /// Where it is sent.
    pub address: &'a str,
    /// When it stops being good.
    pub expires_at: DateTime<Utc>,
}

/// Which address was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proved {
    /// The one that the account has.
    Present(AccountId),
    /// The one that it wanted, and has from now on.
    New(AccountId),
}

/// Stores a token in place of the account's older one of its kind.
///
/// # Errors
/// [`StorageError::Missing`] when the account does not exist.
pub async fn put(conn: &mut AsyncPgConnection, new: NewMailToken<'_>) -> Result<(), StorageError> {
    let values = (
        mail_tokens::hash.eq(new.hash.as_slice()),
        mail_tokens::address.eq(new.address),
        mail_tokens::expires_at.eq(new.expires_at),
    );
    diesel::insert_into(mail_tokens::table)
        .values((mail_tokens::account_id.eq(new.account.0), mail_tokens::kind.eq(new.kind.as_str()), values))
        .on_conflict((mail_tokens::account_id, mail_tokens::kind))
        .do_update()
        .set(values)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whose password a good token resets.
///
/// # Errors
/// When the database fails.
pub async fn resets(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, StorageError> {
    let Some(token) = find(conn, hash, now).await?.filter(|token| token.kind == Kind::Reset.as_str()) else {
        return Ok(None);
    };
    let account = accounts::find(conn, AccountId(token.account)).await?;
    Ok(account.filter(|account| account.email == token.address))
}

/// Uses a token to give its account another password, and ends its sessions. Who reads mail there has proved the
/// address, too. `None` when the token is not good.
///
/// # Errors
/// When the database fails.
pub async fn reset(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<Option<AccountId>, StorageError> {
    conn.transaction(async |conn| {
        let Some(token) = used(conn, hash, &[Kind::Reset], now).await? else { return Ok(None) };
        let id = AccountId(token.account);
        if !prove(conn, id, &token.address, now).await? {
            return Ok(None);
        }
        accounts::reset_password(conn, id, password_hash).await?;
        Ok(Some(id))
    })
    .await
}

/// Uses a token to prove an address. An account that wanted another one has it from now on, and the old one is told.
/// `None` when the token is not good.
///
/// # Errors
/// [`StorageError::Conflict`] when the address that the account wanted has one of its own by now; the token stays good.
pub async fn verify(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Proved>, StorageError> {
    conn.transaction(async |conn| {
        let Some(token) = used(conn, hash, &[Kind::Verify, Kind::Change], now).await? else {
            return Ok(None);
        };
        let id = AccountId(token.account);
        if token.kind == Kind::Change.as_str() {
            change_address(conn, id, &token.address, now).await?;
            return Ok(Some(Proved::New(id)));
        }
        Ok(prove(conn, id, &token.address, now).await?.then_some(Proved::Present(id)))
    })
    .await
}

/// Makes worthless what could take the account over: whoever has just proved to own it wants no older wish to count.
pub(crate) async fn revoke(conn: &mut AsyncPgConnection, account: AccountId) -> Result<(), StorageError> {
    let kinds = [Kind::Reset.as_str(), Kind::Change.as_str()];
    let tokens = mail_tokens::table
        .filter(mail_tokens::account_id.eq(account.0))
        .filter(mail_tokens::kind.eq_any(kinds));
    diesel::delete(tokens).execute(conn).await?;
    let waiting =
        mail_rows::table.filter(mail_rows::account_id.eq(account.0)).filter(mail_rows::kind.eq_any(kinds));
    diesel::delete(waiting).execute(conn).await?;
    Ok(())
}

#[derive(Queryable)]
struct Token {
    account: Uuid,
    kind: String,
    address: String,
}

async fn find(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Token>, StorageError> {
    let token = mail_tokens::table
        .filter(mail_tokens::hash.eq(hash.as_slice()))
        .filter(mail_tokens::expires_at.gt(now))
        .select((mail_tokens::account_id, mail_tokens::kind, mail_tokens::address))
        .first(conn)
        .await
        .optional()?;
    Ok(token)
}

/// A good token of one of these kinds, which is good no more; its account is locked for this transaction.
async fn used(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    kinds: &[Kind],
    now: DateTime<Utc>,
) -> Result<Option<Token>, StorageError> {
    let Some(token) = find(conn, hash, now).await? else { return Ok(None) };
    if !kinds.iter().any(|kind| kind.as_str() == token.kind) {
        return Ok(None);
    }
    let account = account_rows::table.find(token.account);
    account.select(account_rows::id).for_update().first::<Uuid>(conn).await.optional()?;
    let own = mail_tokens::table.filter(mail_tokens::hash.eq(hash.as_slice()));
    let used = diesel::delete(own).execute(conn).await?;
    Ok((used > 0).then_some(token))
}

/// Whether the account still has this address, which is proved by that.
async fn prove(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    address: &str,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let first =
        sql::<Nullable<Timestamptz>>("coalesce(email_verified_at, ").bind::<Timestamptz, _>(now).sql(")");
    let own = account_rows::table.find(account.0).filter(account_rows::email.eq(address));
    let found = diesel::update(own).set(account_rows::email_verified_at.eq(first)).execute(conn).await?;
    Ok(found > 0)
}

async fn change_address(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    new: &str,
    now: DateTime<Utc>,
) -> Result<(), StorageError> {
    let old: String = account_rows::table.find(account.0).select(account_rows::email).first(conn).await?;
    diesel::update(account_rows::table.find(account.0))
        .set((account_rows::email.eq(new), account_rows::email_verified_at.eq(now)))
        .execute(conn)
        .await?;
    revoke(conn, account).await?;
    mails::ask(conn, Wish { kind: Kind::Changed, address: &old, account: Some(account) }, now).await?;
    Ok(())
}
