//! API keys: `mr_` and 256 random bits.

use std::fmt;

use crate::{hex, secret_text};

const PREFIX: &str = "mr_";
/// The characters of a key that may be shown to tell keys apart.
const SHOWN_CHARS: usize = 9;

/// A key's secret text. Neither its `Debug` nor its `Display` tells it; [`ApiKey::reveal`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// SHA-256 of a key's text: what is stored and sent between services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        hex::decode_32(text).map(Self)
    }
}

impl ApiKey {
    /// A new key.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate() -> Result<Self, rand::rand_core::OsError> {
        secret_text::generate(PREFIX).map(Self)
    }

    /// Takes a text that has a key's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        secret_text::parse(PREFIX, text).map(Self)
    }

    /// What the key is stored by.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(secret_text::hash(&self.0))
    }

    /// The first characters, for lists of keys.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.0.get(..SHOWN_CHARS).unwrap_or_default()
    }

    /// The secret itself, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_the_way_through_text() {
        let key = ApiKey::generate().unwrap();
        assert_eq!(ApiKey::parse(key.reveal()).unwrap().hash(), key.hash());
        assert_ne!(ApiKey::generate().unwrap().hash(), key.hash());
    }

    #[test]
    fn it_does_not_print_itself() {
        let key = ApiKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(&key.reveal()[SHOWN_CHARS..]));
    }

    #[test]
    fn other_texts_are_not_keys() {
        for text in ["", "mr_", "mr_short", "xx_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "eyJ.a.b"] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }
}
