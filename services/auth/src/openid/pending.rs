//! What is settled when a sign-in begins, and must still hold when it ends.

use millrace_security::secret_text;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use rand::rand_core::OsError;
use serde::{Deserialize, Serialize};

use crate::openid::binding::Binding;
use crate::openid::return_to::ReturnTo;

/// Kept while somebody is with the provider. None of it has left us but as a hash, except for the nonce.
#[derive(Serialize, Deserialize)]
pub struct Pending {
    /// Proves that whoever exchanges the code asked for it.
    pub verifier: PkceCodeVerifier,
    /// Comes back in the ID token, which is for this sign-in then.
    pub nonce: String,
    /// Where they wanted to go, and how they will hold the session.
    pub wish: Wish,
}

/// What somebody who signs in wants to end with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wish {
    /// Where to go.
    pub return_to: Option<ReturnTo>,
    /// A session in a cookie, for a browser that is sent on; tokens otherwise.
    pub in_cookie: bool,
}

impl Pending {
    /// For another sign-in.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn generate(wish: Wish) -> Result<Self, OsError> {
        let verifier = PkceCodeVerifier::new(secret_text::generate("")?);
        Ok(Self { verifier, nonce: secret_text::generate("")?, wish })
    }

    /// What the provider is told of the verifier.
    #[must_use]
    pub fn challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.verifier)
    }
}

/// Where it is kept. It takes both to find it: the `state`, which travels through the provider, and the cookie, which
/// stays in the browser. So another browser cannot finish a sign-in, nor spoil it.
#[must_use]
pub fn key(state: &str, binding: &Binding) -> [u8; 32] {
    secret_text::hash(&format!("{state} {}", binding.reveal()))
}
