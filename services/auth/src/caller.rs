//! The person who calls.

use std::future::Future;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Origin, SecurityEvent};
use millrace_domain::ids::SessionId;
use millrace_http::credentials::Credentials;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::tokens::TokenClaims;
use millrace_storage::accounts::Account;
use millrace_storage::{members, sessions};

use crate::audit;
use crate::errors::AuthError;
use crate::state::State;

/// Someone who showed a good access token and is still signed in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account.
    pub account: Account,
    /// The sign-in that the token belongs to.
    pub session: SessionId,
    /// What it may do at this moment.
    pub claims: TokenClaims,
    /// Where the request came from.
    pub origin: Origin,
}

impl Caller {
    /// Whose token it is, and what they may do.
    ///
    /// # Errors
    /// When it is not to be believed, its session has ended, or the database is away.
    pub async fn by_token(state: &State, token: &str) -> Result<Self, AuthError> {
        let said = state.tokens.verify(token)?;
        let mut conn = state.connection().await?;
        let account =
            sessions::account(&mut conn, said.sid, said.sub).await?.ok_or(AuthError::SessionEnded)?;
        let roles = members::roles(&mut conn, account.id).await?;
        let claims =
            TokenClaims { account_id: account.id, admin: account.is_admin, roles, expires_at: said.exp };
        Ok(Self { account, session: said.sid, claims, origin: Origin::default() })
    }

    /// What they have just done, for the audit log.
    #[must_use]
    pub fn did(&self, action: Action) -> SecurityEvent {
        audit::did(Actor::Account(self.account.id), &self.origin, action)
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = State::of(&request)?;
            let token = token(Credentials::read(request.headers())?)?;
            let origin = audit::origin(state, &request);
            Ok(Self { origin, ..Self::by_token(state, &token).await? })
        })
    }
}

/// The access token that somebody shows.
///
/// # Errors
/// 403 for an API key, which is nobody's.
pub fn token(credentials: Credentials) -> Result<String, Problem> {
    match credentials {
        Credentials::Token(token) => Ok(token),
        Credentials::Key(_) => {
            Err(Problem::new(Code::Forbidden, "this is for people: send an access token, not an API key"))
        }
    }
}
