//! RSA key pairs that sign access tokens: made here, sealed at rest, published as a JWK set
//! ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use pem::Pem;
use secrecy::{ExposeSecret, SecretBox};

use crate::envelope::{EnvelopeError, MasterKey};

/// A key pair. Prints its name alone.
pub struct SigningKey {
    pkcs8: SecretBox<[u8]>,
    pub(crate) encoding: EncodingKey,
    public: VerifyingKey,
}

/// The public half of a [`SigningKey`].
#[derive(Clone)]
pub struct VerifyingKey {
    pem: String,
    pub(crate) decoding: DecodingKey,
    jwk: Jwk,
    kid: String,
}

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The key pair cannot be made.
    #[error("no RSA key can be generated")]
    Generate,
    /// The bytes are not an RSA key.
    #[error("not an RSA key: {0}")]
    NotAKey(String),
    /// The sealed half cannot be sealed or opened.
    #[error("signing key {kid}: {source}")]
    Envelope {
        /// The key's name.
        kid: String,
        /// What is wrong.
        source: EnvelopeError,
    },
}

impl SigningKey {
    /// A new 2048-bit key.
    ///
    /// # Errors
    /// When the library cannot make one.
    pub fn generate() -> Result<Self, SigningKeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_says_nothing| SigningKeyError::Generate)?;
        let pkcs8 = pair.as_der().map_err(|_says_nothing| SigningKeyError::Generate)?;
        Self::from_pkcs8(SecretBox::new(Box::from(pkcs8.as_ref())))
    }

    /// Opens the private half that [`SigningKey::seal`] closed.
    ///
    /// # Errors
    /// When it was sealed under another master key or for another key's name.
    pub fn open(kid: &str, sealed: &[u8], master: &MasterKey) -> Result<Self, SigningKeyError> {
        let pkcs8 = master
            .open(&context(kid), sealed)
            .map_err(|source| SigningKeyError::Envelope { kid: kid.to_owned(), source })?;
        Self::from_pkcs8(pkcs8)
    }

    /// The private half, sealed.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, master: &MasterKey) -> Result<Vec<u8>, SigningKeyError> {
        let kid = self.public.kid();
        master
            .seal(&context(kid), self.pkcs8.expose_secret())
            .map_err(|source| SigningKeyError::Envelope { kid: kid.to_owned(), source })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    fn from_pkcs8(pkcs8: SecretBox<[u8]>) -> Result<Self, SigningKeyError> {
        let pair = KeyPair::from_pkcs8(pkcs8.expose_secret()).map_err(not_a_key)?;
        let public = pair.public_key().as_der().map_err(not_a_key)?;
        let private_pem =
            SecretBox::new(pem::encode(&Pem::new("PRIVATE KEY", pkcs8.expose_secret())).into_boxed_str());
        Ok(Self {
            encoding: EncodingKey::from_rsa_pem(private_pem.expose_secret().as_bytes()).map_err(not_a_key)?,
            public: VerifyingKey::from_pem(&pem::encode(&Pem::new("PUBLIC KEY", public.as_ref())))?,
            pkcs8,
        })
    }
}

impl VerifyingKey {
    /// Reads a public key (SubjectPublicKeyInfo, PEM).
    ///
    /// # Errors
    /// When it is not an RSA key.
    pub fn from_pem(pem: &str) -> Result<Self, SigningKeyError> {
        let decoding = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(not_a_key)?;
        let mut jwk = Jwk::from_decoding_key(&decoding, Some(Algorithm::RS256)).map_err(not_a_key)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(not_a_key)?;
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_id = Some(kid.clone());
        Ok(Self { pem: pem.to_owned(), decoding, jwk, kid })
    }

    /// What tokens call the key: its thumbprint ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)), so that a name
    /// never means another key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// SubjectPublicKeyInfo, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// The document that lets anybody verify tokens.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a VerifyingKey>) -> JwkSet {
    JwkSet { keys: keys.into_iter().map(|key| key.jwk.clone()).collect() }
}

/// Binds the sealed half to its key's name: rows cannot be swapped.
fn context(kid: &str) -> String {
    format!("millrace signing key {kid}")
}

fn not_a_key(error: impl fmt::Display) -> SigningKeyError {
    SigningKeyError::NotAKey(error.to_string())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.kid)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicKeyComponents;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn master(digit: &str) -> MasterKey {
        digit.repeat(64).parse().unwrap()
    }

    #[test]
    fn a_sealed_key_opens_as_the_same_key() {
        let key = SigningKey::generate().unwrap();
        let kid = key.public().kid();
        let sealed = key.seal(&master("a")).unwrap();
        let opened = SigningKey::open(kid, &sealed, &master("a")).unwrap();
        assert_eq!(opened.public().pem(), key.public().pem());
        assert_eq!(opened.public().kid(), kid);
        assert!(SigningKey::open(kid, &sealed, &master("b")).is_err());
        assert!(SigningKey::open("another", &sealed, &master("a")).is_err());
    }

    #[test]
    fn the_public_half_is_told_and_the_private_is_not() {
        let key = SigningKey::generate().unwrap();
        let published = serde_json::to_value(jwks([key.public()])).unwrap();
        let jwk = published["keys"][0].as_object().unwrap();
        let mut members: Vec<_> = jwk.keys().map(String::as_str).collect();
        members.sort_unstable();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
        assert_eq!(jwk["kid"], key.public().kid());
        assert_eq!((&jwk["kty"], &jwk["alg"], &jwk["use"]), (&"RSA".into(), &"RS256".into(), &"sig".into()));
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.public().kid()));
    }

    #[test]
    fn the_name_is_the_thumbprint_of_rfc_7638() {
        // The key and its thumbprint in RFC 7638, section 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb\
                 9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1\
                 jF44-csFCur-kEgU8awapJzKnqDKgw";
        let components = PublicKeyComponents { n: URL_SAFE_NO_PAD.decode(n).unwrap(), e: vec![1, 0, 1] };
        let der = components.as_der().unwrap();
        let key = VerifyingKey::from_pem(&pem::encode(&Pem::new("PUBLIC KEY", der.as_ref()))).unwrap();
        assert_eq!(key.kid(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(serde_json::to_value(jwks([&key])).unwrap()["keys"][0]["n"], n);
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in ["", "not pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"] {
            assert!(VerifyingKey::from_pem(text).is_err(), "{text}");
        }
    }
}
