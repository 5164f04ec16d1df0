//! Secrets as text: a prefix that tells what it is, and 43 characters that carry 256 random bits.
//!
//! Such a secret has as much entropy as its hash, so a plain SHA-256 is enough to store it by; a slow hash protects
//! secrets that people choose. Looking one up by its hash also needs no constant-time compare: an attacker who could
//! measure the look-up would learn about hashes, from which no secret can be built.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rand_core::OsError;
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// A new secret.
///
/// # Errors
/// When the operating system has no randomness to give.
pub fn generate(prefix: &str) -> Result<String, OsError> {
    let mut secret = [0; BYTES];
    rand::rngs::OsRng.try_fill_bytes(&mut secret)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// The text, if it has the form of a secret with this prefix.
pub(crate) fn parse(prefix: &str, text: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(prefix)?).ok()?;
    (bytes.len() == BYTES).then(|| text.to_owned())
}

/// A type for secrets with one prefix, which are sent once and stored by their hash.
macro_rules! opaque_token {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// A new token.
            ///
            /// # Errors
            /// When the operating system has no randomness to give.
            pub fn generate() -> Result<Self, rand::rand_core::OsError> {
                $crate::secret_text::generate($prefix).map(Self)
            }

            /// Takes a text that has a token's form.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                $crate::secret_text::parse($prefix, text).map(Self)
            }

            /// What the token is stored by: its SHA-256.
            #[must_use]
            pub fn hash(&self) -> [u8; 32] {
                $crate::secret_text::hash(&self.0)
            }

            /// The token itself, to be sent once.
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

pub(crate) use opaque_token;

/// What a secret is stored by.
#[must_use]
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
