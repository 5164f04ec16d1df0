//! Trying a password, no more often than is allowed.

use std::future::Future;
use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::errors::AuthError;
use crate::state::State;

/// Whose password is tried, and from where.
#[derive(Debug)]
pub struct Prover {
    account: String,
    address: IpAddr,
}

impl Prover {
    /// `email` as it was written: one that has no account is counted as well, so that a lock does not tell which do.
    #[must_use]
    pub fn new(state: &State, request: &HttpRequest, email: &str) -> Self {
        Self { account: account(email), address: address(state, request) }
    }

    /// Does `attempt`, unless too many have failed. [`AuthError::WrongPassword`] is a failure; what fails for any other
    /// reason is not counted.
    ///
    /// # Errors
    /// [`AuthError::Locked`], or those of the attempt.
    pub async fn guarded<T>(
        self,
        state: &State,
        attempt: impl Future<Output = Result<T, AuthError>>,
    ) -> Result<T, AuthError> {
        let begun = state.attempts.begin(&self.account, self.address).await.map_err(AuthError::Locked)?;
        let outcome = attempt.await;
        match &outcome {
            Ok(_) => state.attempts.succeeded(begun).await,
            Err(AuthError::WrongPassword) => {}
            Err(_) => state.attempts.abandoned(begun).await,
        }
        outcome
    }
}

/// Where a request came from, as it is counted.
#[must_use]
pub fn address(state: &State, request: &HttpRequest) -> IpAddr {
    state.trusted_proxies.client(request)
}

/// An address as it is counted: the same however it is written.
fn account(email: &str) -> String {
    email.trim().to_lowercase()
}
