//! Sign-ins: how they begin, and how they go on with a refresh token.

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use chrono::{DateTime, Utc};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Details, Origin, Target};
use millrace_domain::ids::{AccountId, SessionId};
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::revocations::Revoked;
use millrace_security::refresh_token::{self, RefreshToken};
use millrace_security::token::Holder;
use millrace_storage::accounts::Account;
use millrace_storage::database::Connection;
use millrace_storage::refresh_tokens::{self, NewToken, Shown};
use millrace_storage::{members, sessions};
use secrecy::{ExposeSecret, SecretString};

use crate::announcements::announce;
use crate::audit::{self, record};
use crate::errors::AuthError;
use crate::state::State;

/// A client may call itself what it likes; this much of it is kept.
const MAX_AGENT_CHARS: usize = 200;

/// What a client goes on with.
#[derive(Debug)]
pub struct Granted {
    /// Who is signed in.
    pub account_id: AccountId,
    /// The sign-in.
    pub session: SessionId,
    /// Shown with every request.
    pub access_token: String,
    /// Shown once, to get the next two.
    pub refresh_token: RefreshToken,
}

/// The client that signs in, for people to recognise it by.
#[derive(Clone, Debug)]
pub struct Client {
    user_agent: Option<String>,
    address: Option<String>,
}

impl Client {
    /// Who sent this request.
    #[must_use]
    pub fn of(request: &HttpRequest, trusted: &TrustedProxies) -> Self {
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            user_agent: agent.map(|agent| agent.chars().take(MAX_AGENT_CHARS).collect()),
            address: Some(trusted.client(request).to_string()),
        }
    }

    pub(crate) fn as_stored(&self) -> sessions::Client<'_> {
        sessions::Client { user_agent: self.user_agent.as_deref(), address: self.address.as_deref() }
    }
}

/// Opens a session for somebody who has proved to be `account`, as it was read before.
///
/// # Errors
/// [`AuthError::SessionEnded`] when its password was changed meanwhile; when the database is away.
pub async fn open(state: &State, account: &Account, client: &Client) -> Result<Granted, AuthError> {
    let now = Utc::now();
    let refresh_token = RefreshToken::generate()?;
    let token = NewToken { hash: &refresh_token.hash(), expires_at: now + refresh_token::LIFETIME };
    let mut conn = state.connection().await?;
    let session = sessions::open(&mut conn, account, client.as_stored(), token, now).await?;
    let session = session.ok_or(AuthError::SessionEnded)?;
    let access_token = access_token(state, &mut conn, account, session, now).await?;
    Ok(Granted { account_id: account.id, session, access_token, refresh_token })
}

/// Replaces a refresh token. One that was replaced before ends its session, everywhere.
///
/// # Errors
/// [`AuthError::RefreshToken`] for a token that is not good, whatever is wrong with it.
pub async fn refresh(state: &State, shown: &SecretString, origin: &Origin) -> Result<Granted, AuthError> {
    let outcome = replace(state, shown, origin).await;
    let result = match &outcome {
        Ok(_) => "success",
        Err(AuthError::RefreshToken) => "failure",
        Err(_) => "error",
    };
    metrics::counter!("auth_refreshes_total", "result" => result).increment(1);
    outcome
}

async fn replace(state: &State, shown: &SecretString, origin: &Origin) -> Result<Granted, AuthError> {
    let shown = RefreshToken::parse(shown.expose_secret()).ok_or(AuthError::RefreshToken)?;
    let now = Utc::now();
    let refresh_token = RefreshToken::generate()?;
    let next = NewToken { hash: &refresh_token.hash(), expires_at: now + refresh_token::LIFETIME };
    let mut conn = state.connection().await?;
    match refresh_tokens::replace(&mut conn, &shown.hash(), next, now).await? {
        Shown::Replaced(account, session) => {
            let account =
                sessions::account(&mut conn, session, account).await?.ok_or(AuthError::RefreshToken)?;
            let access_token = access_token(state, &mut conn, &account, session, now).await?;
            Ok(Granted { account_id: account.id, session, access_token, refresh_token })
        }
        Shown::Stolen(account_id, session) => {
            drop(conn);
            metrics::counter!("auth_refresh_tokens_reused_total").increment(1);
            tracing::warn!(%account_id, %session, "a replaced refresh token was shown again: its session has ended");
            announce(state, Revoked::Sessions { account_id }).await;
            // The owner or the thief: it cannot be told which.
            let event = audit::did(Actor::Anonymous, origin, Action::RefreshTokenReused);
            let details = Details { account_id: Some(account_id), ..Details::default() };
            record(state, event.on(Target::Session(session)).with(details)).await;
            Err(AuthError::RefreshToken)
        }
        Shown::Unknown => Err(AuthError::RefreshToken),
    }
}

/// An access token for a session, with the roles of the moment.
pub(crate) async fn access_token(
    state: &State,
    conn: &mut Connection,
    account: &Account,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<String, AuthError> {
    let roles = members::roles(conn, account.id).await?;
    let holder = Holder { account: account.id, session, admin: account.is_admin, roles };
    Ok(state.tokens.issue(holder, now)?)
}
