//! Refresh tokens: `mrr_` and 256 random bits, good for seven days and one use.

use std::fmt;
use std::time::Duration;

use crate::secret_text;

/// How long a token is good.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const PREFIX: &str = "mrr_";

/// A refresh token. Neither its `Debug` nor its `Display` tells it; [`RefreshToken::reveal`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(String);

impl RefreshToken {
    /// A new token.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, rand::rand_core::OsError> {
        secret_text::generate(PREFIX).map(Self)
    }

    /// Takes a text that has a token's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        secret_text::parse(PREFIX, text).map(Self)
    }

    /// What the token is stored by: its SHA-256.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        secret_text::hash(&self.0)
    }

    /// The token itself, to be sent once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::ApiKey;

    #[test]
    fn a_token_survives_the_way_through_text() {
        let token = RefreshToken::generate().unwrap();
        assert_eq!(RefreshToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert_ne!(RefreshToken::generate().unwrap().hash(), token.hash());
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }

    #[test]
    fn keys_and_tokens_are_not_taken_for_each_other() {
        let (key, token) = (ApiKey::generate().unwrap(), RefreshToken::generate().unwrap());
        assert!(RefreshToken::parse(key.reveal()).is_none() && ApiKey::parse(token.reveal()).is_none());
        for text in ["", "mrr_", "mrr_short", "eyJ.a.b"] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
