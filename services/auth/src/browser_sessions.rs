//! Sessions of browsers: how they begin with a cookie, and what a cookie stands for later.
//!
//! A cookie is not used up by being shown: a browser sends many requests at once, and would look like a thief to
//! [refresh tokens](crate::sessions). It is replaced when it is no longer young, and until it expires or its session ends
//! both are good.

use chrono::Utc;
use millrace_domain::ids::SessionId;
use millrace_messaging::browser_sessions::OpenSession;
use millrace_security::{browser_session, token};
use millrace_storage::accounts::Account;
use millrace_storage::sessions;

use crate::errors::AuthError;
use crate::sessions::{Client, access_token};
use crate::state::State;

/// What a browser goes on with.
pub struct Begun {
    /// The session.
    pub session: SessionId,
    /// The cookie's value.
    pub cookie: String,
    /// What its pages must send with whatever changes something.
    pub csrf_token: String,
}

/// Opens a session for somebody who has proved who they are.
///
/// # Errors
/// When the database is away.
pub async fn begin(state: &State, account: &Account, client: &Client) -> Result<Begun, AuthError> {
    let now = Utc::now();
    let mut conn = state.connection().await?;
    let until = now + browser_session::LIFETIME;
    let session = sessions::open_for_browser(&mut conn, account, client.as_stored(), until, now).await?;
    let session = session.ok_or(AuthError::SessionEnded)?;
    let cookie = state.tokens.seal_cookie((account.id, session), now)?;
    Ok(Begun { session, cookie, csrf_token: state.tokens.csrf_token(session) })
}

/// What a cookie stands for; `None` when it is not to be believed, or its session has ended.
///
/// # Errors
/// When the database is away.
pub async fn resume(state: &State, cookie: &str) -> Result<Option<OpenSession>, AuthError> {
    let outcome = open(state, cookie).await;
    let result = match &outcome {
        Ok(Some(session)) if session.renewed.is_some() => "renewed",
        Ok(Some(_)) => "opened",
        Ok(None) => "refused",
        Err(_) => "error",
    };
    metrics::counter!("auth_browser_sessions_total", "result" => result).increment(1);
    outcome
}

async fn open(state: &State, cookie: &str) -> Result<Option<OpenSession>, AuthError> {
    let said = match state.tokens.open_cookie(cookie) {
        Ok(said) => said,
        Err(error) => {
            tracing::debug!(%error, "a session cookie was refused");
            return Ok(None);
        }
    };
    let now = Utc::now();
    let mut conn = state.connection().await?;
    let Some(account) = sessions::account(&mut conn, said.sid, said.sub).await? else { return Ok(None) };
    let is_young = (now - said.iat).to_std().is_ok_and(|age| age < state.cookie_renewal);
    let renewed = if is_young {
        None
    } else {
        if !sessions::extend(&mut conn, said.sid, now + browser_session::LIFETIME, now).await? {
            return Ok(None);
        }
        Some(state.tokens.seal_cookie((said.sub, said.sid), now)?)
    };
    Ok(Some(OpenSession {
        account_id: account.id,
        access_token: access_token(state, &mut conn, &account, said.sid, now).await?,
        expires_at: now + token::LIFETIME,
        csrf_token: state.tokens.csrf_token(said.sid),
        renewed,
    }))
}
