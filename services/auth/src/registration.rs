//! Who may have an account, and what it takes to sign in to it.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use millrace_cache::attempts::{Attempts, CacheError, Law};
use millrace_http::problem::Quota;

use crate::errors::AuthError;

/// `MILLRACE_REGISTRATION`: whether people make accounts for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Whoever reaches the gateway may.
    Open,
    /// Operators make them, with `millrace admin create-user`.
    Closed,
}

/// A text that is neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be `open` or `closed`")]
pub struct NeitherOpenNorClosed;

impl FromStr for Registration {
    type Err = NeitherOpenNorClosed;

    fn from_str(text: &str) -> Result<Self, NeitherOpenNorClosed> {
        match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            _ => Err(NeitherOpenNorClosed),
        }
    }
}

/// The rules for accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admission {
    registration: Registration,
    verified_only: bool,
    limit: u32,
    registrations: Attempts,
}

impl Admission {
    /// `verified_only`: nobody signs in before they have proved their address. `limit`: registrations an hour from one
    /// network address.
    ///
    /// # Errors
    /// When `redis_url` is not an address of Redis.
    pub fn new(
        registration: Registration,
        verified_only: bool,
        limit: u32,
        redis_url: &str,
    ) -> Result<Self, CacheError> {
        let registrations = Attempts::new(redis_url, Law::hourly("registration", limit))?;
        Ok(Self { registration, verified_only, limit, registrations })
    }

    /// Whether nobody signs in before they have proved their address.
    #[must_use]
    pub fn verified_only(&self) -> bool {
        self.verified_only
    }

    /// That registration is open.
    ///
    /// # Errors
    /// [`AuthError::RegistrationClosed`] when it is not.
    pub fn open(&self) -> Result<(), AuthError> {
        match self.registration {
            Registration::Open => Ok(()),
            Registration::Closed => Err(AuthError::RegistrationClosed),
        }
    }

    /// Counts a registration from `address`, whatever comes of it: whoever finds out which addresses have an account
    /// finds out slowly.
    ///
    /// # Errors
    /// [`AuthError::TooManyRegistrations`] when there were too many.
    pub async fn register(&self, address: IpAddr) -> Result<(), AuthError> {
        let counted = self.registrations.count_address(address).await;
        counted.map_err(|locked| {
            let window = Duration::from_secs(60 * 60);
            let quota = Quota { policy: "registration", limit: self.limit, window };
            AuthError::TooManyRegistrations(quota, locked.wait)
        })
    }
}
