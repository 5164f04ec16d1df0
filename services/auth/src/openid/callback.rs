//! What the provider sends a browser back with.

use serde::Deserialize;

use crate::openid::error::{OpenIdError, ProviderError};

/// The query of a callback. Providers add parameters of their own.
#[derive(Deserialize)]
pub struct Callback {
    /// Which sign-in it belongs to.
    pub state: Option<String>,
    /// What an ID token is to be had for.
    code: Option<String>,
    /// Why there is none.
    error: Option<String>,
    /// Who sends it (RFC 9207).
    pub iss: Option<String>,
}

impl Callback {
    /// The code.
    ///
    /// # Errors
    /// What the provider says instead.
    pub fn code(self) -> Result<String, OpenIdError> {
        match (self.error.as_deref(), self.code) {
            (Some("access_denied"), _) => Err(OpenIdError::Cancelled),
            (Some("temporarily_unavailable" | "server_error"), _) => {
                Err(ProviderError::Away("it says so itself".to_owned()).into())
            }
            // The browser has brought this: it may be of any length, and anything.
            (Some(error), _) => {
                let error: String = error.chars().take(64).collect();
                Err(ProviderError::Unusable(format!("the callback has the error {error:?}")).into())
            }
            (None, Some(code)) => Ok(code),
            (None, None) => Err(OpenIdError::Incomplete("code")),
        }
    }
}
