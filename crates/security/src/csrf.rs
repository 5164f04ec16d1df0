//! Proof that a request comes from a page that may read what the server tells it, and not only from a browser that
//! holds the cookie.
//!
//! The token belongs to a session: HMAC-SHA-256 of the session's id under a key of its own. So it need not be stored,
//! is the same in every tab for as long as the session lasts, and of no use with any other.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_domain::ids::SessionId;
use secrecy::ExposeSecret;

use crate::envelope::{EnvelopeError, MasterKey};

/// Makes tokens. Derived from the master key, so that every replica of auth makes the same.
pub struct CsrfKey(hmac::Key);

impl CsrfKey {
    /// The key that belongs to this master key.
    ///
    /// # Errors
    /// When the library does not derive it.
    pub fn derive(master: &MasterKey) -> Result<Self, EnvelopeError> {
        let key = master.derive("millrace csrf token")?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, key.expose_secret())))
    }

    /// The token of a session, as text that fits into headers.
    #[must_use]
    pub fn token(&self, session: SessionId) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, session.0.as_bytes()))
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfKey(…)")
    }
}

/// Whether what was shown is the token, in a time that does not tell how much of it is.
#[must_use]
pub fn matches(token: &str, shown: &[u8]) -> bool {
    verify_slices_are_equal(token.as_bytes(), shown).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> CsrfKey {
        CsrfKey::derive(&digit.repeat(64).parse().unwrap()).unwrap()
    }

    #[test]
    fn a_token_belongs_to_a_session_and_an_installation() {
        let (one, other) = (SessionId::new(), SessionId::new());
        let token = key("a").token(one);
        assert_eq!(token, key("a").token(one));
        assert!(token != key("a").token(other) && token != key("b").token(one));
        assert!(
            token.len() == 43
                && !token.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        );
    }

    #[test]
    fn only_the_whole_token_matches() {
        let token = key("a").token(SessionId::new());
        assert!(matches(&token, token.as_bytes()));
        for shown in ["", "x", &token[1..], &token[..42], &format!("{token}x"), &token.to_lowercase()] {
            assert!(!matches(&token, shown.as_bytes()), "{shown}");
        }
    }
}
