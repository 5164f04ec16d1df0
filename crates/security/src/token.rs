//! Access tokens: JSON Web Tokens ([RFC 7519](https://www.rfc-editor.org/rfc/rfc7519)) signed with RS256, good for
//! 15 minutes.
//!
//! Nothing in a token decides how it is verified: the algorithm is fixed, and the key is chosen by `kid` among ours.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::time::Duration;

use chrono::serde::ts_seconds;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId, SessionId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::signing_key::{SigningKey, VerifyingKey};

/// How long a token is good.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Who tokens are meant for.
pub const AUDIENCE: &str = "millrace-api";
/// How far two clocks of ours may be apart.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// Claims of one kind of token. Each kind is meant for an audience of its own, so that none is taken for another.
pub trait ClaimSet: Serialize + DeserializeOwned {
    /// Who tokens of this kind are meant for.
    const AUDIENCE: &'static str;
    /// The registered claims without which none is believed.
    const REQUIRED: &'static [&'static str];
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Who it is meant for: [`AUDIENCE`].
    pub aud: String,
    /// Whose it is.
    pub sub: AccountId,
    /// The session it belongs to: it is good only as long as that lasts.
    pub sid: SessionId,
    /// The token's own id.
    pub jti: Uuid,
    /// When it was issued.
    #[serde(with = "ts_seconds")]
    pub iat: DateTime<Utc>,
    /// When it starts to be good.
    #[serde(with = "ts_seconds")]
    pub nbf: DateTime<Utc>,
    /// When it stops being good.
    #[serde(with = "ts_seconds")]
    pub exp: DateTime<Utc>,
    /// Whether the account has the system role that sees every project.
    pub admin: bool,
    /// The account's role in each of its projects when the token was issued.
    pub roles: BTreeMap<ProjectId, Role>,
}

impl ClaimSet for Claims {
    const AUDIENCE: &'static str = AUDIENCE;
    const REQUIRED: &'static [&'static str] = &["exp", "nbf", "aud", "iss", "sub"];
}

/// Whom a token is made for.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// The session it signed in with.
    pub session: SessionId,
    /// Whether it has the system role that sees every project.
    pub admin: bool,
    /// Its role in each of its projects.
    pub roles: BTreeMap<ProjectId, Role>,
}

/// Why a token is not believed, or not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It was good once.
    #[error("the access token has expired")]
    Expired,
    /// It will be good later: its issuer's clock is ahead.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// No key of ours has the name in its header.
    #[error("the access token is signed with an unknown key")]
    UnknownKey,
    /// Anything else, which an honest token never is.
    #[error("the access token is not valid: {0}")]
    Invalid(JwtError),
    /// The key does not sign.
    #[error("no access token can be signed: {0}")]
    Unsigned(JwtError),
}

/// Makes tokens.
#[derive(Debug)]
pub struct Issuer {
    name: String,
    key: SigningKey,
}

impl Issuer {
    /// Signs as `name` with `key`.
    #[must_use]
    pub fn new(name: &str, key: SigningKey) -> Self {
        Self { name: name.to_owned(), key }
    }

    /// A token, good from `now` for [`LIFETIME`].
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn issue(&self, holder: Holder, now: DateTime<Utc>) -> Result<String, TokenError> {
        let Holder { account, session, admin, roles } = holder;
        let claims = Claims {
            iss: self.name.clone(),
            aud: AUDIENCE.to_owned(),
            sub: account,
            sid: session,
            jti: Uuid::now_v7(),
            iat: now,
            nbf: now,
            exp: now + LIFETIME,
            admin,
            roles,
        };
        self.sign(&claims)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The token that says this.
    pub(crate) fn sign(&self, claims: &impl ClaimSet) -> Result<String, TokenError> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key.public().kid().to_owned());
        encode(&header, claims, &self.key.encoding).map_err(TokenError::Unsigned)
    }
}

/// Believes one kind of token of one issuer.
#[derive(Debug)]
pub struct Verifier<C = Claims> {
    keys: HashMap<String, VerifyingKey>,
    validation: Validation,
    kind: PhantomData<fn() -> C>,
}

impl<C: ClaimSet> Verifier<C> {
    /// Believes `issuer` when one of `keys` has signed.
    pub fn new(issuer: &str, keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[C::AUDIENCE]);
        validation.set_required_spec_claims(C::REQUIRED);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.as_secs();
        let keys = keys.into_iter().map(|key| (key.kid().to_owned(), key)).collect();
        Self { keys, validation, kind: PhantomData }
    }

    /// What the token says, if it is to be believed at the present time.
    ///
    /// # Errors
    /// Says why not.
    pub fn verify(&self, token: &str) -> Result<C, TokenError> {
        let header = decode_header(token).map_err(TokenError::Invalid)?;
        // `crit` names extensions that must be understood (RFC 7515, 4.1.11). We understand none.
        if header.alg != Algorithm::RS256 || header.crit.is_some() {
            return Err(TokenError::Invalid(ErrorKind::InvalidAlgorithm.into()));
        }
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
        decode(token, &key.decoding, &self.validation).map(|data| data.claims).map_err(|error| {
            match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                ErrorKind::ImmatureSignature => TokenError::NotYetValid,
                _ => TokenError::Invalid(error),
            }
        })
    }
}

#[cfg(test)]
mod tests;
