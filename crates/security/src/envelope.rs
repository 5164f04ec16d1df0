//! Small secrets at rest: AES-256-GCM under the master key that only the environment knows.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

use crate::hex;

/// The layout of what [`MasterKey::seal`] returns: this byte, the nonce, the ciphertext with its tag.
const VERSION: u8 = 1;

/// `MILLRACE_MASTER_KEY`: 256 bits as 64 hexadecimal digits. Does not print itself.
pub struct MasterKey(SecretBox<[u8; 32]>);

/// A text that is no master key. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 64 hexadecimal digits, as `openssl rand -hex 32` prints them")]
pub struct NotAMasterKey;

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The operating system has no randomness to give.
    #[error("the secret cannot be sealed")]
    Seal,
    /// Another master key, another context, or changed bytes: it cannot be told which.
    #[error("the sealed secret does not open under this master key")]
    Open,
    /// The library does not derive a key.
    #[error("no key can be derived from the master key")]
    Derive,
}

impl FromStr for MasterKey {
    type Err = NotAMasterKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::decode_32(text).map(|key| Self(SecretBox::new(Box::new(key)))).ok_or(NotAMasterKey)
    }
}

impl Clone for MasterKey {
    fn clone(&self) -> Self {
        Self(SecretBox::new(Box::new(*self.0.expose_secret())))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

impl MasterKey {
    /// A key from bytes that are as random as one, for secrets that do not live long.
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(SecretBox::new(Box::new(bytes)))
    }

    /// Seals a secret for one purpose. The nonce is random: 96 bits are enough for the 2^32 secrets that NIST
    /// SP 800-38D allows a key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        // Room for the tag, so that appending it does not leave a copy of the secret in freed memory.
        let mut sealed = Vec::with_capacity(secret.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(secret);
        let nonce = self
            .cipher()
            .and_then(|cipher| cipher.seal_in_place_append_tag(Aad::from(context), &mut sealed))
            .map_err(|_says_nothing| EnvelopeError::Seal)?;
        Ok([&[VERSION], nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same purpose.
    ///
    /// # Errors
    /// When it was not, or not by this key, or was changed.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretBox<[u8]>, EnvelopeError> {
        let (nonce, ciphertext) = match sealed.split_first() {
            Some((&VERSION, rest)) => rest.split_first_chunk::<NONCE_LEN>().ok_or(EnvelopeError::Open)?,
            _ => return Err(EnvelopeError::Open),
        };
        let mut opened = ciphertext.to_vec();
        let secret = self
            .cipher()
            .and_then(|cipher| {
                cipher.open_in_place(Nonce::from(nonce), Aad::from(context), &mut opened).map(|s| s.len())
            })
            .map_err(|_says_nothing| EnvelopeError::Open)?;
        opened.truncate(secret);
        Ok(SecretBox::new(opened.into_boxed_slice()))
    }

    /// The key for another purpose: HKDF with SHA-256 ([RFC 5869](https://www.rfc-editor.org/rfc/rfc5869)), without a
    /// salt. Whoever learns it learns neither the master key nor the key of any other purpose.
    pub(crate) fn derive(&self, purpose: &str) -> Result<SecretBox<[u8; 32]>, EnvelopeError> {
        let mut key = SecretBox::new(Box::new([0; 32]));
        Salt::new(HKDF_SHA256, &[])
            .extract(self.0.expose_secret())
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|expanded| expanded.fill(key.expose_secret_mut()))
            .map_err(|_says_nothing| EnvelopeError::Derive)?;
        Ok(key)
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
        RandomizedNonceKey::new(&AES_256_GCM, self.0.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str) -> MasterKey {
        digit.repeat(64).parse().unwrap()
    }

    #[test]
    fn what_was_sealed_opens_again() {
        let sealed = key("a").seal("test", b"secret").unwrap();
        assert_eq!(key("a").open("test", &sealed).unwrap().expose_secret(), b"secret");
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        assert_ne!(key("a").seal("test", b"secret").unwrap(), key("a").seal("test", b"secret").unwrap());
    }

    #[test]
    fn another_key_or_purpose_opens_nothing() {
        let sealed = key("a").seal("test", b"secret").unwrap();
        assert!(key("b").open("test", &sealed).is_err());
        assert!(key("a").open("something else", &sealed).is_err());
    }

    #[test]
    fn no_byte_can_be_changed_or_lost() {
        let sealed = key("a").seal("test", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key("a").open("test", &changed).is_err(), "byte {at}");
            assert!(key("a").open("test", &sealed[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_master_key_is_64_digits_and_secret() {
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
            assert_eq!(text.parse::<MasterKey>().unwrap_err(), NotAMasterKey);
        }
        assert!(!format!("{:?}", key("a")).contains("aa"));
    }
}
