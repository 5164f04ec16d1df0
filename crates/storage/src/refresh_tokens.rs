//! Refresh tokens: each is used once, and using it makes the next one.
//!
//! A replaced token that shows up again is held by two parties, one of which stole it. Which one cannot be told, so
//! the session ends for both ([RFC 9700](https://www.rfc-editor.org/rfc/rfc9700), 4.14.2).
//!
//! One use is forgiven: an answer can be lost, and its client can only try again with what it has. For [`GRACE`] after
//! its replacement, and as long as the token that replaced it was not used, the older token gets another successor.
//! The first successor is replaced by that in turn, so there is never more than one good token: of two parties who
//! hold the same token, one is left with a replaced one, and ends the session with its next use.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{AccountId, SessionId};
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::{refresh_tokens, sessions};

/// How long after its replacement a token may be shown once more. Longer than a client waits before it tries again.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A token to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// SHA-256 of its text.
    pub hash: &'a [u8; 32],
    /// When it stops being good.
    pub expires_at: DateTime<Utc>,
}

/// What became of a token that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// It was good, and is replaced.
    Replaced(AccountId, SessionId),
    /// It had been replaced before. The session has ended.
    Stolen(AccountId, SessionId),
    /// There is no such token, or it has expired, or its session has ended.
    Unknown,
}

/// Stores the first token of a session.
pub(crate) async fn first(
    conn: &mut AsyncPgConnection,
    session: SessionId,
    token: NewToken<'_>,
) -> Result<(), StorageError> {
    insert(conn, session.0, token, 0).await
}

/// Replaces the token with the hash `shown` by `next`.
///
/// # Errors
/// When the database fails.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    shown: &[u8; 32],
    next: NewToken<'_>,
    now: DateTime<Utc>,
) -> Result<Shown, StorageError> {
    conn.transaction(async |conn| {
        let Some((session, account)) = lock_session(conn, shown).await? else { return Ok(Shown::Unknown) };
        let by = (AccountId(account), SessionId(session));
        // A statement of its own: it must see what whoever held the lock before has committed.
        let own = refresh_tokens::table.filter(refresh_tokens::session_id.eq(session));
        let token: Option<(i32, DateTime<Utc>, Option<DateTime<Utc>>)> = own
            .filter(refresh_tokens::hash.eq(shown.as_slice()))
            .select((refresh_tokens::generation, refresh_tokens::expires_at, refresh_tokens::replaced_at))
            .first(conn)
            .await
            .optional()?;
        let Some((generation, expires_at, replaced_at)) = token else { return Ok(Shown::Unknown) };
        if expires_at <= now {
            return Ok(Shown::Unknown);
        }
        let next_generation = generation.saturating_add(1);
        if let Some(replaced_at) = replaced_at {
            let current: i32 = own
                .filter(refresh_tokens::replaced_at.is_null())
                .select(refresh_tokens::generation)
                .first(conn)
                .await?;
            if now - replaced_at > GRACE || current != next_generation {
                diesel::delete(sessions::table.find(session)).execute(conn).await?;
                return Ok(Shown::Stolen(by.0, by.1));
            }
        }
        diesel::delete(own.filter(refresh_tokens::expires_at.le(now))).execute(conn).await?;
        diesel::update(own.filter(refresh_tokens::replaced_at.is_null()))
            .set(refresh_tokens::replaced_at.eq(now))
            .execute(conn)
            .await?;
        insert(conn, session, next, next_generation).await?;
        diesel::update(sessions::table.find(session))
            .set((sessions::last_used_at.eq(now), sessions::expires_at.eq(next.expires_at)))
            .execute(conn)
            .await?;
        Ok(Shown::Replaced(by.0, by.1))
    })
    .await
}

/// The session of a token and its account, for this transaction alone: two uses of a token must not both be the first.
async fn lock_session(
    conn: &mut AsyncPgConnection,
    token: &[u8; 32],
) -> Result<Option<(Uuid, Uuid)>, StorageError> {
    let session = refresh_tokens::table
        .filter(refresh_tokens::hash.eq(token.as_slice()))
        .select(refresh_tokens::session_id);
    let locked = sessions::table
        .filter(sessions::id.eq_any(session))
        .select((sessions::id, sessions::account_id))
        .for_update()
        .first(conn)
        .await
        .optional()?;
    Ok(locked)
}

async fn insert(
    conn: &mut AsyncPgConnection,
    session: Uuid,
    token: NewToken<'_>,
    generation: i32,
) -> Result<(), StorageError> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::hash.eq(token.hash.as_slice()),
            refresh_tokens::session_id.eq(session),
            refresh_tokens::generation.eq(generation),
            refresh_tokens::expires_at.eq(token.expires_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}
