//! Access tokens that were checked a moment ago.
//!
//! Programs ask about the same token again and again. What it grants is in the database, and one question there costs
//! as much as hundreds from memory. What is changed here is forgotten before the change is answered; what other
//! replicas change, when they announce it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use millrace_messaging::tokens::TokenClaims;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use crate::caller::Caller;
use crate::errors::AuthError;
use crate::state::State;

/// How long an answer is believed at most: this bounds what changes without an announcement, made by hand in the
/// database, can cost.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// A person has a token for every sign-in; 10,000 are about 10 MB.
const MAX_KNOWN: u64 = 10_000;

/// What tokens grant, under the SHA-256 of each. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KnownTokens {
    memory: Cache<[u8; 32], Arc<TokenClaims>>,
    /// Counts the times everything was forgotten.
    forgotten: Arc<AtomicU64>,
}

impl Default for KnownTokens {
    fn default() -> Self {
        let memory = Cache::builder().max_capacity(MAX_KNOWN).time_to_live(KNOWN_FOR).build();
        Self { memory, forgotten: Arc::default() }
    }
}

impl KnownTokens {
    /// What a token grants. One that is refused is checked anew each time.
    ///
    /// # Errors
    /// Those of [`Caller::by_token`].
    pub async fn claims(&self, state: &State, token: &str) -> Result<Arc<TokenClaims>, AuthError> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let known = self.memory.get(&hash).await.filter(|claims| claims.is_live(Utc::now()));
        let result = if known.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "tier" => "tokens", "result" => result).increment(1);
        if let Some(claims) = known {
            return Ok(claims);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let claims = Arc::new(Caller::by_token(state, token).await?.claims);
        self.memory.insert(hash, Arc::clone(&claims)).await;
        // Looked at after the insertion: the claims may be from before a change that was forgotten meanwhile.
        if self.forgotten.load(Ordering::Acquire) != before {
            self.memory.invalidate(&hash).await;
        }
        Ok(claims)
    }

    /// Forgets everything: changes are rare and a check is cheap.
    pub fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.memory.invalidate_all();
    }
}
