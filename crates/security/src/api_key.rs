//! API keys: `mr_` and 43 characters that carry 256 random bits.
//!
//! A key has as much entropy as its hash, so a plain SHA-256 is enough to store it by; a slow hash protects secrets
//! that people choose. Looking a key up by its hash also needs no constant-time compare: an attacker who could
//! measure the look-up would learn about hashes, from which no key can be built.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use sha2::{Digest, Sha256};

use crate::hex;

const PREFIX: &str = "mr_";
const SECRET_BYTES: usize = 32;
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
        let mut secret = [0; SECRET_BYTES];
        rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
        Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))))
    }

    /// Takes a text that has a key's form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text.strip_prefix(PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
        (bytes.len() == SECRET_BYTES).then(|| Self(text.to_owned()))
    }

    /// What the key is stored by.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
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
