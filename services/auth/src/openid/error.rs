//! What goes wrong on the way to a provider and back, as problems.

use std::time::Duration;

use millrace_cache::sign_ins::CacheError;
use millrace_domain::email::Email;
use millrace_http::problem::{Code, Problem};
use millrace_security::id_token::IdTokenError;
use rand::rand_core::OsError;

use crate::errors::AuthError;

/// A sign-in with a provider that came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// No provider is configured.
    #[error("signing in with a provider is not configured here: MILLRACE_OIDC_CLIENT_ID is not set")]
    NotConfigured,
    /// The callback does not belong to a sign-in that this browser began and nobody has finished yet: it is not told
    /// what is wrong, because each of them may be an attack.
    #[error("this sign-in was not begun in this browser, is finished already, or took too long: begin again")]
    Unknown,
    /// The callback is none.
    #[error("the provider's answer has no {0}: begin again")]
    Incomplete(&'static str),
    /// The callback is from another provider than the one that was asked.
    #[error("the answer is not from the provider that was asked: begin again")]
    Mixed,
    /// The person, or the provider on their behalf, said no.
    #[error("the sign-in was cancelled")]
    Cancelled,
    /// The provider does not know the code, or not as one for us.
    #[error("the provider does not accept the code of this sign-in: begin again")]
    Code,
    /// The ID token is not to be believed.
    #[error("what the provider says is not to be believed: begin again")]
    Token(#[from] IdTokenError),
    /// The provider does not vouch for an address.
    #[error("the provider has not verified your e-mail address: verify it there, or sign in with a password")]
    Unverified,
    /// No account is made for addresses of this domain.
    #[error("accounts here are not made for addresses such as {0}: ask an administrator for one")]
    Domain(Email),
    /// The provider did not do its part.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// Redis is away.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// What was kept cannot be read.
    #[error("a sign-in that was begun cannot be read: {0}")]
    Kept(#[from] serde_json::Error),
    /// The operating system has no randomness to give.
    #[error("no secret can be made: {0}")]
    NoRandomness(#[from] OsError),
    /// An account that cannot be read, or no session for it.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

/// What is wrong with a provider.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    /// It may answer later.
    #[error("the provider is away: {0}")]
    Away(String),
    /// It answers what it should not; trying again does not help.
    #[error("the provider answers what cannot be used: {0}")]
    Unusable(String),
}

impl OpenIdError {
    /// The outcome, for counting.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::NotConfigured
            | Self::Unknown
            | Self::Incomplete(_)
            | Self::Mixed
            | Self::Code
            | Self::Token(_) => "refused",
            Self::Cancelled => "cancelled",
            Self::Unverified | Self::Domain(_) => "not_admitted",
            Self::Provider(_) => "provider",
            Self::Cache(_) | Self::Kept(_) | Self::NoRandomness(_) | Self::Auth(_) => "error",
        }
    }
}

impl From<OpenIdError> for Problem {
    fn from(error: OpenIdError) -> Self {
        let code = match &error {
            OpenIdError::NotConfigured => Code::NotFound,
            OpenIdError::Unknown | OpenIdError::Incomplete(_) | OpenIdError::Mixed => Code::Malformed,
            OpenIdError::Cancelled | OpenIdError::Unverified | OpenIdError::Domain(_) => Code::Forbidden,
            OpenIdError::Code => Code::Unauthenticated,
            OpenIdError::Token(cause) => {
                tracing::warn!(%cause, "an ID token was refused");
                Code::Unauthenticated
            }
            OpenIdError::Provider(ProviderError::Away(cause)) => {
                return Self::unavailable("the sign-in provider", cause).retry_after(Duration::from_secs(5));
            }
            OpenIdError::Provider(ProviderError::Unusable(cause)) => {
                tracing::error!(%cause, "answered 502: the sign-in provider cannot be used");
                return Self::new(Code::BadGateway, "the sign-in provider does not answer as it should");
            }
            OpenIdError::Cache(cause) => return Self::unavailable("signing in with a provider", cause),
            OpenIdError::Kept(_) | OpenIdError::NoRandomness(_) => return Self::internal(&error),
            OpenIdError::Auth(_) => Code::Internal,
        };
        match error {
            OpenIdError::Auth(error) => error.into(),
            error => Self::new(code, error.to_string()),
        }
    }
}
