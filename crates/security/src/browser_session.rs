//! The cookie of a browser session: a token that auth signs ([`crate::token`]) and then encrypts ([`crate::jwe`]), good
//! for seven days.
//!
//! It is signed so that a key can be withdrawn, and encrypted so that it tells a stranger nothing. It names a session
//! and grants nothing by itself: auth opens it and gives an access token for it, as long as the session lasts.

use std::time::Duration;

use chrono::serde::ts_seconds;
use chrono::{DateTime, Utc};
use millrace_domain::ids::{AccountId, SessionId};
use serde::{Deserialize, Serialize};

use crate::envelope::{EnvelopeError, MasterKey};
use crate::jwe::{JweError, JweKey};
use crate::token::{ClaimSet, Issuer, TokenError, Verifier};

/// How long a cookie is good.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Who the tokens inside are meant for: another audience than that of access tokens.
pub const AUDIENCE: &str = "millrace-browser";

/// What a cookie says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Who it is meant for: [`AUDIENCE`].
    pub aud: String,
    /// Whose it is.
    pub sub: AccountId,
    /// The session that it stands for.
    pub sid: SessionId,
    /// When it was sealed.
    #[serde(with = "ts_seconds")]
    pub iat: DateTime<Utc>,
    /// When it stops being good.
    #[serde(with = "ts_seconds")]
    pub exp: DateTime<Utc>,
}

impl ClaimSet for Claims {
    const AUDIENCE: &'static str = AUDIENCE;
    const REQUIRED: &'static [&'static str] = &["exp", "aud", "iss", "sub"];
}

/// Encrypts cookies. Derived from the master key, so that every replica of auth has the same.
#[derive(Debug)]
pub struct CookieKey(JweKey);

impl CookieKey {
    /// The key that belongs to this master key.
    ///
    /// # Errors
    /// When the library does not derive it.
    pub fn derive(master: &MasterKey) -> Result<Self, EnvelopeError> {
        JweKey::derive(master, "millrace browser session").map(Self)
    }
}

/// Why there is no cookie, or why one is not believed.
#[derive(Debug, thiserror::Error)]
pub enum CookieError {
    /// It is not encrypted by us, or was changed.
    #[error("the session cookie: {0}")]
    Encryption(#[from] JweError),
    /// What is inside has expired, or was not signed by us.
    #[error("inside the session cookie: {0}")]
    Token(#[from] TokenError),
}

/// A cookie for a session, good from `now` for [`LIFETIME`].
///
/// # Errors
/// When the key does not sign, or there is no randomness.
pub fn seal(
    key: &CookieKey,
    issuer: &Issuer,
    (account, session): (AccountId, SessionId),
    now: DateTime<Utc>,
) -> Result<String, CookieError> {
    let (iss, aud, exp) = (issuer.name().to_owned(), AUDIENCE.to_owned(), now + LIFETIME);
    let token = issuer.sign(&Claims { iss, aud, sub: account, sid: session, iat: now, exp })?;
    Ok(key.0.seal(&token)?)
}

/// What a cookie says, if it is to be believed at the present time.
///
/// # Errors
/// Says why not.
pub fn open(key: &CookieKey, verifier: &Verifier<Claims>, cookie: &str) -> Result<Claims, CookieError> {
    Ok(verifier.verify(&key.0.open(cookie)?)?)
}

#[cfg(test)]
mod tests;
