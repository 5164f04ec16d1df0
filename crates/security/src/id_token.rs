//! ID tokens: what an OpenID provider says of somebody who has signed in there
//! ([OpenID Connect Core](https://openid.net/specs/openid-connect-core-1_0.html), 3.1.3.7).
//!
//! Nothing in a token decides by itself how it is verified: its key is chosen by `kid` among those that the provider
//! publishes, and its algorithm must be one of three that have a public half.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jsonwebtoken::errors::{Error as JwtError, ErrorKind};
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, get_current_timestamp,
};
use serde::{Deserialize, Deserializer};

/// How far the provider's clock and ours may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// OpenID Connect Core, 2.
const MAX_SUBJECT_BYTES: usize = 255;
/// With a secret algorithm, our own client secret or a published key could sign.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// The keys that a provider publishes and that could have signed an ID token.
#[derive(Debug)]
pub struct ProviderKeys(Vec<ProviderKey>);

#[derive(Debug)]
struct ProviderKey {
    kid: Option<String>,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

/// What a token must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// Who must have issued it.
    pub issuer: &'a str,
    /// Whom it must be meant for: us, as the provider knows us.
    pub client_id: &'a str,
    /// What we sent along when the sign-in began.
    pub nonce: &'a str,
}

/// What a provider says of a person.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Person {
    /// What the provider calls them. It never gives the name to somebody else.
    #[serde(rename = "sub")]
    pub subject: String,
    /// An e-mail address.
    pub email: Option<String>,
    /// Whether the provider has proved that it is theirs.
    #[serde(default, deserialize_with = "truth")]
    pub email_verified: bool,
    /// What to call them.
    pub name: Option<String>,
}

/// Why a token is not believed.
#[derive(Debug, thiserror::Error)]
pub enum IdTokenError {
    /// None of the provider's keys has the name in its header: there may be newer ones.
    #[error("it is signed with an unknown key")]
    UnknownKey,
    /// It was made for another sign-in.
    #[error("it belongs to another sign-in: its nonce is not ours")]
    Nonce,
    /// It was issued to another client of the provider.
    #[error("it was issued to another client: its azp is not ours")]
    Party,
    /// It names nobody, or with more than a name.
    #[error("its sub has not 1 to {MAX_SUBJECT_BYTES} printable bytes")]
    Subject,
    /// It was issued later than now.
    #[error("it was issued in the future")]
    Ahead,
    /// Anything else.
    #[error("it is not valid: {0}")]
    Invalid(JwtError),
}

#[derive(Deserialize)]
struct Claims {
    #[serde(flatten)]
    person: Person,
    aud: Audience,
    azp: Option<String>,
    nonce: Option<String>,
    // Providers may write fractions of a second.
    iat: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Several(Vec<String>),
    One(String),
}

impl ProviderKeys {
    /// Reads a JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)). Keys that are of no use here are passed
    /// over, as section 5 of it says.
    ///
    /// # Errors
    /// When it is no JWK set.
    pub fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let Set { keys } = serde_json::from_slice(json)?;
        Ok(Self(keys.into_iter().filter_map(ProviderKey::of).collect()))
    }

    fn find(&self, header: &Header) -> Option<&ProviderKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == header.alg);
        match &header.kid {
            Some(kid) => fitting.find(|key| key.kid.as_ref() == Some(kid)),
            // A provider with a single key need not name it (OpenID Connect Core, 10.1).
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl ProviderKey {
    fn of(json: serde_json::Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        let algorithm = ALGORITHMS.into_iter().find(|algorithm| algorithm.family() == decoding.family())?;
        let named = jwk.common.key_algorithm.is_none_or(|named| named == named_as(algorithm));
        named.then_some(Self { kid: jwk.common.key_id, algorithm, decoding })
    }
}

fn named_as(algorithm: Algorithm) -> KeyAlgorithm {
    match algorithm {
        Algorithm::RS256 => KeyAlgorithm::RS256,
        Algorithm::ES256 => KeyAlgorithm::ES256,
        Algorithm::EdDSA => KeyAlgorithm::EdDSA,
        _ => KeyAlgorithm::UNKNOWN_ALGORITHM,
    }
}

/// Whom an ID token speaks of, if it is to be believed at the present time. Its `at_hash` is not looked at: it vouches for an
/// access token, and what we ask with one is held against the subject of this.
///
/// # Errors
/// Says why not.
pub fn verify(token: &str, keys: &ProviderKeys, expected: Expected<'_>) -> Result<Person, IdTokenError> {
    let header = decode_header(token).map_err(IdTokenError::Invalid)?;
    // `crit` names extensions that must be understood (RFC 7515, 4.1.11). We understand none.
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(IdTokenError::Invalid(ErrorKind::InvalidAlgorithm.into()));
    }
    let key = keys.find(&header).ok_or(IdTokenError::UnknownKey)?;
    let mut validation = Validation::new(key.algorithm);
    validation.set_issuer(&[expected.issuer]);
    validation.set_audience(&[expected.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY.as_secs();
    let claims: Claims = decode(token, &key.decoding, &validation).map_err(IdTokenError::Invalid)?.claims;
    let meant_for_others = match &claims.aud {
        Audience::Several(audiences) => audiences.iter().any(|audience| audience != expected.client_id),
        Audience::One(audience) => audience != expected.client_id,
    };
    if claims.azp.map_or(meant_for_others, |party| party != expected.client_id) {
        return Err(IdTokenError::Party);
    }
    let nonce = claims.nonce.unwrap_or_default();
    verify_slices_are_equal(nonce.as_bytes(), expected.nonce.as_bytes())
        .map_err(|_differ| IdTokenError::Nonce)?;
    let subject = &claims.person.subject;
    if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || subject.contains(char::is_control) {
        return Err(IdTokenError::Subject);
    }
    let latest = Duration::from_secs(get_current_timestamp()) + LEEWAY;
    if Duration::try_from_secs_f64(claims.iat).is_ok_and(|issued| issued <= latest) {
        Ok(claims.person)
    } else {
        Err(IdTokenError::Ahead)
    }
}

/// Some providers write booleans as text.
fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Truth {
        Said(bool),
        Written(String),
    }
    Ok(match Truth::deserialize(deserializer)? {
        Truth::Said(truth) => truth,
        Truth::Written(text) => text == "true",
    })
}

#[cfg(test)]
mod tests;
