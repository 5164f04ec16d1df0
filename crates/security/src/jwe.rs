//! JSON Web Encryption ([RFC 7516](https://www.rfc-editor.org/rfc/rfc7516)) in the one form that is needed here: compact,
//! with a key that both sides hold (`dir`) and AES-256-GCM, around a JSON Web Token.
//!
//! The header is the same for everything that a key seals. What is opened must have it byte for byte, so nothing in a
//! text decides how it is opened: there is no other algorithm, no compression and no extension to ask for.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::envelope::{EnvelopeError, MasterKey};

/// Why a token could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JweError {
    /// The operating system has no randomness to give.
    #[error("the token cannot be sealed")]
    Seal,
    /// It is not in five parts of the right form.
    #[error("it is no encrypted token")]
    Form,
    /// Its header names another key, or asks for anything that is not done here.
    #[error("it is not encrypted as ours are")]
    Header,
    /// Another key under the same name, or changed bytes: it cannot be told which.
    #[error("it does not open under this key")]
    Open,
}

/// A key for one purpose. Does not print itself.
pub(crate) struct JweKey {
    /// The header of everything that it seals, as it stands in the compact form.
    header: String,
    cipher: RandomizedNonceKey,
}

impl JweKey {
    /// The key that `purpose` has under the master key. Its name is derived as well: another key has another name.
    pub(crate) fn derive(master: &MasterKey, purpose: &str) -> Result<Self, EnvelopeError> {
        let name = master.derive(&format!("{purpose}: name"))?;
        let (name, _) = name.expose_secret().split_at(NAME_BYTES);
        Self::new(&URL_SAFE_NO_PAD.encode(name), master.derive(purpose)?.expose_secret())
    }

    fn new(kid: &str, key: &[u8; 32]) -> Result<Self, EnvelopeError> {
        let header = json!({"alg": "dir", "cty": "JWT", "enc": "A256GCM", "kid": kid}).to_string();
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_says_nothing| EnvelopeError::Derive)?;
        Ok(Self { header: URL_SAFE_NO_PAD.encode(header), cipher })
    }

    /// The compact form of the encrypted `token`. The nonce is random: 96 bits are enough for the 2^32 texts that
    /// NIST SP 800-38D allows a key.
    pub(crate) fn seal(&self, token: &str) -> Result<String, JweError> {
        let mut sealed = Vec::with_capacity(token.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(token.as_bytes());
        let aad = Aad::from(self.header.as_bytes());
        let nonce =
            self.cipher.seal_in_place_append_tag(aad, &mut sealed).map_err(|_says_nothing| JweError::Seal)?;
        let (ciphertext, tag) = sealed.split_at_checked(token.len()).ok_or(JweError::Seal)?;
        let [nonce, ciphertext, tag] =
            [nonce.as_ref().as_slice(), ciphertext, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
        // The second part is the encrypted key, of which `dir` has none.
        Ok(format!("{}..{nonce}.{ciphertext}.{tag}", self.header))
    }

    /// The token in what [`JweKey::seal`] made.
    pub(crate) fn open(&self, sealed: &str) -> Result<String, JweError> {
        let parts: Vec<&str> = sealed.split('.').collect();
        let [header, "", nonce, ciphertext, tag] = parts[..] else { return Err(JweError::Form) };
        if header != self.header {
            return Err(JweError::Header);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64| JweError::Form);
        let (nonce, mut opened, tag) = (decode(nonce)?, decode(ciphertext)?, decode(tag)?);
        let nonce: [u8; NONCE_LEN] = nonce.try_into().map_err(|_other_length| JweError::Form)?;
        // A shorter tag would be checked as far as it goes.
        if tag.len() != AES_256_GCM.tag_len() {
            return Err(JweError::Form);
        }
        opened.extend_from_slice(&tag);
        let aad = Aad::from(self.header.as_bytes());
        let length = self
            .cipher
            .open_in_place(Nonce::from(&nonce), aad, &mut opened)
            .map_err(|_says_nothing| JweError::Open)?
            .len();
        opened.truncate(length);
        String::from_utf8(opened).map_err(|_not_a_token| JweError::Open)
    }
}

const NAME_BYTES: usize = 8;

impl fmt::Debug for JweKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JweKey({})", self.header)
    }
}

#[cfg(test)]
mod tests;
