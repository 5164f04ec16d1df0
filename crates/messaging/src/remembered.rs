//! Answers of auth, remembered for a while and forgotten when something is revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::revocations;

/// How long a good answer is believed without asking again. Revocations are broadcast; this bounds what a lost
/// broadcast can cost.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// How long credentials stay refused without asking again: a key that was just created must soon work.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Attackers may make up credentials; the memory for them is bounded.
const MAX_REMEMBERED: u64 = 100_000;

/// What is known of credentials, under the SHA-256 of each. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<A: Send + Sync + 'static> {
    broker: Broker,
    tier: &'static str,
    memory: Cache<[u8; 32], Option<Arc<A>>>,
    /// Counts the times everything was forgotten.
    forgotten: Arc<AtomicU64>,
}

impl<A: Send + Sync + 'static> Remembered<A> {
    /// Nothing in memory. `tier` names it in `cache_requests_total`.
    pub(crate) fn new(broker: Broker, tier: &'static str) -> Self {
        let memory = Cache::builder().max_capacity(MAX_REMEMBERED).expire_after(ByAnswer).build();
        Self { broker, tier, memory, forgotten: Arc::default() }
    }

    /// What is known under `hash`, or what `ask` finds out.
    pub(crate) async fn recall(
        &self,
        hash: [u8; 32],
        ask: impl AsyncFnOnce(&Broker) -> Result<Option<A>, MessagingError>,
    ) -> Result<Option<Arc<A>>, MessagingError> {
        let count = |result| {
            metrics::counter!("cache_requests_total", "tier" => self.tier, "result" => result).increment(1)
        };
        if let Some(known) = self.memory.get(&hash).await {
            count("hit");
            return Ok(known);
        }
        count("miss");
        let before = self.forgotten.load(Ordering::Acquire);
        let answer = ask(&self.broker).await?.map(Arc::new);
        self.memory.insert(hash, answer.clone()).await;
        // Looked at after the insertion: the answer may be from before a revocation that was forgotten meanwhile.
        if self.forgotten.load(Ordering::Acquire) != before {
            self.memory.invalidate(&hash).await;
        }
        Ok(answer)
    }

    /// Forgets everything whenever something is revoked, and whenever a revocation may have been missed.
    pub(crate) async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        revocations::listen(&self.broker, shutdown, |_anything| self.forget()).await
    }

    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.memory.invalidate_all();
    }
}

struct ByAnswer;

impl<A> Expiry<[u8; 32], Option<Arc<A>>> for ByAnswer {
    fn expire_after_create(&self, _: &[u8; 32], answer: &Option<Arc<A>>, _: Instant) -> Option<Duration> {
        Some(if answer.is_some() { KNOWN_FOR } else { UNKNOWN_FOR })
    }
}
