//! What an access token grants: a question to auth behind a local memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::remembered::Remembered;
use crate::{requests, subjects};

/// The question on [`subjects::VERIFY_TOKEN`].
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenQuestion {
    /// The access token.
    pub token: String,
}

/// The answer; no claims when the token is not to be believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// Who holds the token, and what they may do.
    pub claims: Option<TokenClaims>,
}

/// A person with a good token, and what they may do at the time of the answer: the roles are those of the moment, not
/// those of the moment the token was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenClaims {
    /// Whose token it is.
    pub account_id: AccountId,
    /// Whether they have the system role that sees every project.
    pub admin: bool,
    /// Their role in each of their projects.
    pub roles: BTreeMap<ProjectId, Role>,
    /// When the token stops being good.
    pub expires_at: DateTime<Utc>,
}

impl TokenClaims {
    /// Whether the token may still be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at
    }

    /// Whether its holder may ask about a project: every role may.
    #[must_use]
    pub fn may_read(&self, project: ProjectId) -> bool {
        self.admin || self.roles.contains_key(&project)
    }

    /// The project that its holder means, who may have named one: whoever has a single one need not.
    ///
    /// # Errors
    /// When it is not theirs, or cannot be told.
    pub fn project(&self, asked: Option<ProjectId>) -> Result<ProjectId, NoProject> {
        match (asked, self.roles.keys().next()) {
            (Some(project), _) if self.may_read(project) => Ok(project),
            (Some(_), _) | (None, None) if !self.admin => Err(NoProject::NotTheirs),
            (None, Some(only)) if !self.admin && self.roles.len() == 1 => Ok(*only),
            _ => Err(NoProject::Several),
        }
    }
}

/// Why it is not known which project the holder of a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProject {
    /// One that is not theirs does not exist for them.
    #[error("there is no such project among yours")]
    NotTheirs,
    /// They have named none.
    #[error("X-Project-Id must name one of your projects: you have several")]
    Several,
}

/// Verifies access tokens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    claims: Remembered<TokenClaims>,
}

impl TokenVerifier {
    /// A verifier with nothing in memory.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        Self { claims: Remembered::new(broker, "tokens") }
    }

    /// What the token grants at this moment; `None` when it is not to be believed.
    ///
    /// # Errors
    /// When it is not in memory and auth does not answer.
    pub async fn verify(&self, token: &str) -> Result<Option<Arc<TokenClaims>>, MessagingError> {
        let ask = async |broker: &Broker| {
            let question = TokenQuestion { token: token.to_owned() };
            let answer: TokenAnswer = requests::ask(broker, subjects::VERIFY_TOKEN, &question).await?;
            Ok(answer.claims)
        };
        let claims = self.claims.recall(Sha256::digest(token).into(), ask).await?;
        // It may have expired in memory.
        Ok(claims.filter(|claims| claims.is_live(Utc::now())))
    }

    /// Forgets everything.
    pub fn forget(&self) {
        self.claims.forget();
    }

    /// Forgets everything whenever something is revoked, and whenever a revocation may have been missed.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        self.claims.listen(shutdown).await
    }
}
