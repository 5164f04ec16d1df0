//! Who opens a socket, and whether they still may.

use std::sync::Arc;

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};
use millrace_domain::access::Scope;
use millrace_domain::ids::{AccountId, KeyId, ProjectId};
use millrace_http::credentials::Credentials;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::keys::KeyResolver;
use millrace_messaging::revocations::Revoked;
use millrace_messaging::tokens::{NoProject, TokenVerifier};
use serde::{Deserialize, Serialize};

use super::Refused;
use crate::browser_session::{Admitted, BrowserSessions};

/// What somebody has shown, to be shown to auth again whenever it may have changed its mind.
#[derive(Clone, Serialize, Deserialize)]
pub enum Shown {
    /// An API key, by its SHA-256.
    Key([u8; 32]),
    /// An access token.
    Token(String),
    /// The cookie of a browser session. Its access token is another one every few minutes.
    #[serde(skip)]
    Cookie(String),
}

/// Somebody who may look at a project.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The project.
    pub project: ProjectId,
    /// Who it is.
    pub who: Who,
    /// When to ask again at the latest.
    pub good_until: Option<DateTime<Utc>>,
}

/// A person or a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever has this key.
    Key(KeyId),
    /// A person.
    Account(AccountId),
}

impl Viewer {
    /// The person, if it is one.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self.who {
            Who::Account(account) => Some(account),
            Who::Key(_) => None,
        }
    }

    /// Whether a revocation may be about them; `None`: one may have been missed.
    #[must_use]
    pub fn is_meant(&self, revoked: Option<&Revoked>) -> bool {
        match revoked {
            Some(Revoked::Key { key_id }) => self.who == Who::Key(*key_id),
            Some(Revoked::Sessions { account_id } | Revoked::Roles { account_id }) => {
                self.who == Who::Account(*account_id)
            }
            Some(Revoked::SigningKeys) => matches!(self.who, Who::Account(_)),
            None => true,
        }
    }
}

/// Asks auth. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Access {
    pub(super) keys: KeyResolver,
    pub(super) tokens: TokenVerifier,
    pub(super) sessions: Arc<BrowserSessions>,
}

impl Access {
    /// What a request shows: a key or a token in its headers, or the cookie of a session.
    ///
    /// # Errors
    /// 401 when that is nothing, 403 when another site's page may have sent it, 503 when nobody can tell.
    pub(crate) async fn shown(&self, request: &HttpRequest) -> Result<(Shown, Option<Admitted>), Refused> {
        if let Some(admitted) = self.sessions.admit(request).await? {
            return Ok((Shown::Cookie(admitted.cookie().to_owned()), Some(admitted)));
        }
        let shown = match Credentials::read(request.headers())? {
            Credentials::Key(key) => Shown::Key(key.hash().0),
            Credentials::Token(token) => Shown::Token(token),
        };
        Ok((shown, None))
    }

    /// Who that is, and which project they look at.
    ///
    /// # Errors
    /// 401 for what is not good, 403 or 404 where it does not reach, 503 when nobody can tell.
    pub async fn admit(&self, shown: &Shown, asked: Option<ProjectId>) -> Result<Viewer, Problem> {
        match shown {
            Shown::Key(sha256) => self.admit_key(sha256, asked).await,
            Shown::Token(token) => self.admit_token(token, asked).await,
            Shown::Cookie(cookie) => {
                let token = self.sessions.access_token(cookie).await.map_err(|error| away(&error))?;
                let token = token.ok_or_else(|| unauthenticated("the session has ended: sign in again"))?;
                self.admit_token(&token, asked).await
            }
        }
    }

    /// Forgets what auth has said.
    pub(super) fn forget(&self) {
        self.keys.forget();
        self.tokens.forget();
    }

    async fn admit_key(&self, sha256: &[u8; 32], asked: Option<ProjectId>) -> Result<Viewer, Problem> {
        let grant = self.keys.resolve(*sha256).await.map_err(|error| away(&error))?;
        let grant = grant.filter(|grant| grant.is_live(Utc::now()));
        let grant = grant.ok_or_else(|| unauthenticated("the API key is unknown, revoked or expired"))?;
        if !grant.allows(Scope::Read) {
            let detail = format!("the key lacks the scope `{}`", Scope::Read);
            return Err(Problem::new(Code::Forbidden, detail));
        }
        if asked.is_some_and(|asked| asked != grant.project_id) {
            let detail = "the key belongs to another project than X-Project-Id";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        let (project, who) = (grant.project_id, Who::Key(grant.key_id));
        Ok(Viewer { project, who, good_until: grant.expires_at })
    }

    async fn admit_token(&self, token: &str, asked: Option<ProjectId>) -> Result<Viewer, Problem> {
        let claims = self.tokens.verify(token).await.map_err(|error| away(&error))?;
        let claims =
            claims.ok_or_else(|| unauthenticated("the access token is not valid, revoked or expired"))?;
        let project = claims.project(asked).map_err(|reason| match reason {
            NoProject::NotTheirs => Problem::new(Code::NotFound, reason.to_string()),
            NoProject::Several => Problem::field("project_id", "required", reason.to_string()),
        })?;
        Ok(Viewer { project, who: Who::Account(claims.account_id), good_until: Some(claims.expires_at) })
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

fn away(error: &dyn std::fmt::Display) -> Problem {
    Problem::unavailable("the authentication service", error)
}
