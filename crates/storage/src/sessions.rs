//! Sign-ins. Ending a session is deleting it: access tokens that name it are refused from then on, and its refresh
//! tokens go with it.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, SessionId};
use uuid::Uuid;

use crate::accounts::Account;
use crate::error::StorageError;
use crate::refresh_tokens::{self, NewToken};
use crate::schema::{accounts, sessions};

/// A sign-in that has not ended.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id, `sid` in access tokens.
    pub id: SessionId,
    /// What the client called itself when it signed in.
    pub user_agent: Option<String>,
    /// Where it was then.
    pub address: Option<String>,
    /// When it was signed in.
    pub created_at: DateTime<Utc>,
    /// When it was signed in or last refreshed.
    pub last_used_at: DateTime<Utc>,
    /// When it ends unless it is refreshed.
    pub expires_at: DateTime<Utc>,
}

/// The client that signs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client<'a> {
    /// What it calls itself.
    pub user_agent: Option<&'a str>,
    /// Where it is.
    pub address: Option<&'a str>,
}

type Row = (Uuid, Option<String>, Option<String>, DateTime<Utc>, DateTime<Utc>, DateTime<Utc>);
type Columns = (
    sessions::id,
    sessions::user_agent,
    sessions::address,
    sessions::created_at,
    sessions::last_used_at,
    sessions::expires_at,
);
const COLUMNS: Columns = (
    sessions::id,
    sessions::user_agent,
    sessions::address,
    sessions::created_at,
    sessions::last_used_at,
    sessions::expires_at,
);

impl From<Row> for Session {
    fn from((id, user_agent, address, created_at, last_used_at, expires_at): Row) -> Self {
        Self { id: SessionId(id), user_agent, address, created_at, last_used_at, expires_at }
    }
}

/// Opens a session with its first refresh token, unless the account has another password than when it was read, or is
/// gone: whoever changes or removes a password ends the sessions, and one that is being opened with the old password
/// must not slip through. What has expired of the account's goes: it is of no use to anybody, and so needs no sweeper.
///
/// # Errors
/// When the database fails.
pub async fn open(
    conn: &mut AsyncPgConnection,
    account: &Account,
    client: Client<'_>,
    token: NewToken<'_>,
    now: DateTime<Utc>,
) -> Result<Option<SessionId>, StorageError> {
    conn.transaction(async |conn| {
        let opened = insert(conn, account, client, token.expires_at, now).await?;
        if let Some(id) = opened {
            refresh_tokens::first(conn, id, token).await?;
        }
        Ok(opened)
    })
    .await
}

/// Opens a session without a refresh token, on the same terms as [`open`]: a browser's, which goes on by [`extend`].
///
/// # Errors
/// When the database fails.
pub async fn open_for_browser(
    conn: &mut AsyncPgConnection,
    account: &Account,
    client: Client<'_>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<SessionId>, StorageError> {
    conn.transaction(async |conn| insert(conn, account, client, expires_at, now).await).await
}

async fn insert(
    conn: &mut AsyncPgConnection,
    account: &Account,
    client: Client<'_>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<SessionId>, StorageError> {
    let (id, account_id) = (SessionId::new(), account.id.0);
    let unchanged = accounts::table
        .find(account_id)
        .filter(accounts::password_hash.is_not_distinct_from(&account.password_hash))
        .select(accounts::id)
        .for_share()
        .first::<Uuid>(conn)
        .await
        .optional()?;
    if unchanged.is_none() {
        return Ok(None);
    }
    let expired =
        sessions::table.filter(sessions::account_id.eq(account_id)).filter(sessions::expires_at.le(now));
    diesel::delete(expired).execute(conn).await?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(id.0),
            sessions::account_id.eq(account_id),
            sessions::user_agent.eq(client.user_agent),
            sessions::address.eq(client.address),
            sessions::created_at.eq(now),
            sessions::last_used_at.eq(now),
            sessions::expires_at.eq(expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(Some(id))
}

/// Lets a session go on until `expires_at`, because it is used at `now`. `false` when it has ended.
///
/// # Errors
/// When the database fails.
pub async fn extend(
    conn: &mut AsyncPgConnection,
    session: SessionId,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let extended = diesel::update(sessions::table.find(session.0))
        .set((sessions::last_used_at.eq(now), sessions::expires_at.eq(expires_at)))
        .execute(conn)
        .await?;
    Ok(extended > 0)
}

/// The account that is signed in, if the session is its own and has not ended.
///
/// # Errors
/// When the database fails.
pub async fn account(
    conn: &mut AsyncPgConnection,
    session: SessionId,
    account: AccountId,
) -> Result<Option<Account>, StorageError> {
    let open = sessions::table.filter(sessions::id.eq(session.0)).filter(sessions::account_id.eq(account.0));
    let row = accounts::table
        .find(account.0)
        .filter(diesel::dsl::exists(open))
        .first::<crate::accounts::Row>(conn)
        .await
        .optional()?;
    Ok(row.map(Into::into))
}

/// An account's sessions, last used first.
///
/// # Errors
/// When the database fails.
pub async fn of_account(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, StorageError> {
    let rows: Vec<Row> = sessions::table
        .filter(sessions::account_id.eq(account.0))
        .filter(sessions::expires_at.gt(now))
        .order(sessions::last_used_at.desc())
        .select(COLUMNS)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Ends one of an account's sessions. `false` when it has no such session.
///
/// # Errors
/// When the database fails.
pub async fn end(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    session: SessionId,
) -> Result<bool, StorageError> {
    let session = sessions::table.find(session.0).filter(sessions::account_id.eq(account.0));
    Ok(diesel::delete(session).execute(conn).await? > 0)
}

/// Ends an account's sessions, but for the one to `keep`, and returns how many.
///
/// # Errors
/// When the database fails.
pub async fn end_all(
    conn: &mut AsyncPgConnection,
    account: AccountId,
    keep: Option<SessionId>,
) -> Result<usize, StorageError> {
    // No session has the nil id.
    let keep = keep.map_or(Uuid::nil(), |session| session.0);
    let ended = sessions::table.filter(sessions::account_id.eq(account.0)).filter(sessions::id.ne(keep));
    Ok(diesel::delete(ended).execute(conn).await?)
}
