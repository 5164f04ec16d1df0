//! What a link in a mail carries: `mrm_` and 256 random bits. Who shows it reads mail where it was sent.

use std::fmt;

use crate::secret_text;

const PREFIX: &str = "mrm_";

/// A token for one use. Its `Debug` does not tell it; [`MailToken::reveal`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct MailToken(String);

impl MailToken {
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

impl fmt::Debug for MailToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh_token::RefreshToken;

    #[test]
    fn a_token_survives_the_way_through_a_mail_and_prints_nothing() {
        let token = MailToken::generate().unwrap();
        assert_eq!(MailToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert_ne!(MailToken::generate().unwrap(), token);
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }

    #[test]
    fn what_is_something_else_is_none() {
        let other = RefreshToken::generate().unwrap();
        for text in ["", "mrm_", "mrm_short", other.reveal()] {
            assert!(MailToken::parse(text).is_none(), "{text}");
        }
    }
}
