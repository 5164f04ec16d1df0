//! Trying and making passwords, a few at a time.
//!
//! bcrypt keeps a core busy for a fifth of a second. Without a bound a storm of logins would take every core
//! and every blocking thread of the process, and the questions of the other services would wait behind it.
//!
//! All hashes have one cost, so that an account that does not exist takes as long as one that does: one with another
//! cost (an operator made it, or the setting was changed) is hashed again when its person signs in.

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;

use actix_web::web;
use millrace_security::password::{self, Cost, Password};
use millrace_security::password_choice::{self, ChoiceFault};
use millrace_storage::accounts::{self, Account};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use crate::errors::AuthError;
use crate::state::State;

/// Logins in hand and in wait for each that is being worked on: a few seconds' worth.
const PLACES_PER_SLOT: usize = 16;

/// Tries and makes passwords on one core less than there are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Passwords {
    cost: Cost,
    slots: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Passwords {
    /// `cost`: that of the hashes, so that an account that does not exist takes as long.
    #[must_use]
    pub fn new(cost: Cost) -> Self {
        let cores = available_parallelism().map_or(1, NonZero::get);
        let slots = cores.saturating_sub(1).max(1);
        let places = slots * PLACES_PER_SLOT;
        Self { cost, slots: Arc::new(Semaphore::new(slots)), places: Arc::new(Semaphore::new(places)) }
    }

    /// Whether `text` is the password behind `hash`; never, and as slowly, when there is no account to have one.
    ///
    /// # Errors
    /// [`AuthError::Busy`] when too many are waiting.
    pub async fn matches(&self, text: SecretString, hash: Option<String>) -> Result<bool, AuthError> {
        let cost = self.cost;
        self.work(move || match hash {
            Some(hash) => password::verify(text.expose_secret(), &hash),
            None => {
                password::verify_nobody(text.expose_secret(), cost);
                false
            }
        })
        .await
    }

    /// That `text` is the password behind `hash`.
    ///
    /// # Errors
    /// [`AuthError::WrongPassword`] when it is not, [`AuthError::Busy`] when too many are waiting.
    pub async fn prove(&self, text: SecretString, hash: String) -> Result<(), AuthError> {
        if self.matches(text, Some(hash)).await? { Ok(()) } else { Err(AuthError::WrongPassword) }
    }

    /// The hash of a password that somebody chose, of whom `personal` is known.
    ///
    /// # Errors
    /// [`AuthError::BadPassword`] when it breaks a law, [`AuthError::Busy`] when too many are waiting.
    pub async fn choose(&self, text: SecretString, personal: Vec<String>) -> Result<String, AuthError> {
        let cost = self.cost;
        let hash = self.work(move || {
            let personal: Vec<&str> = personal.iter().map(String::as_str).collect();
            let password = password_choice::choose(text.expose_secret(), &personal)?;
            Ok(password.hash(cost)?)
        });
        hash.await?
    }

    /// Stores the right password of an account, `text`, with the cost of this service, if its hash has another one. What
    /// cannot be done now is done when they sign in again.
    pub async fn renew(&self, state: &State, account: &Account, text: SecretString) {
        let old_hash = account.password_hash.as_deref().filter(|hash| Cost::of(hash) != Some(self.cost));
        let Some(old_hash) = old_hash else { return };
        let cost = self.cost;
        let renewed = async {
            let new_hash = self
                .work(move || Password::parse(text.expose_secret()).map(|right| right.hash(cost)))
                .await?;
            let new_hash = new_hash.map_err(ChoiceFault::from)??;
            let mut conn = state.connection().await?;
            accounts::rehash_password(&mut conn, account.id, old_hash, &new_hash).await?;
            Ok::<_, AuthError>(())
        };
        match renewed.await {
            Ok(()) => {
                tracing::info!(account_id = %account.id, %cost, "a password is hashed with another cost")
            }
            Err(error) => tracing::warn!(account_id = %account.id, %error, "a password keeps its cost"),
        }
    }

    /// The cost of the hashes that are made here, and of trying a password for an account that does not exist.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.cost
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| AuthError::Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_closed| AuthError::Busy)?;
        let done = web::block(move || {
            // Held by the work, not by the request: a client that hangs up does not end the work.
            let _held = (place, slot);
            work()
        });
        done.await.map_err(|_cancelled| AuthError::Busy)
    }
}
