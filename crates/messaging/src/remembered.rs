//! Answers of auth, remembered for a while and forgotten when something is revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::revocations;

/// How long a good answer is believed without asking again. Revocations are broadcast; this bounds what a lost
/// broadcast can cost.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// How long a good answer is believed while auth cannot answer. With the database away nothing can be revoked either,
/// and events must go on being accepted; whatever is revoked afterwards is broadcast.
const BELIEVED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How often auth is asked again meanwhile. Every question that is not answered costs one request its patience.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long credentials stay refused without asking again: a key that was just created must soon work.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Attackers may make up credentials; the memory for them is bounded.
const MAX_REMEMBERED: u64 = 100_000;

/// What is known of credentials, under the SHA-256 of each. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Remembered<A: Send + Sync + 'static> {
    broker: Broker,
    tier: &'static str,
    memory: Cache<[u8; 32], Known<A>>,
    /// Counts the times everything was forgotten.
    forgotten: Arc<AtomicU64>,
}

/// An answer and how long to rely on it.
#[derive(Debug)]
struct Known<A> {
    answer: Option<Arc<A>>,
    answered: Instant,
    ask_again: Instant,
}

impl<A> Clone for Known<A> {
    fn clone(&self) -> Self {
        Self { answer: self.answer.clone(), ..*self }
    }
}

impl<A: Send + Sync + 'static> Remembered<A> {
    /// Nothing in memory. `tier` names it in `cache_requests_total`.
    pub(crate) fn new(broker: Broker, tier: &'static str) -> Self {
        let memory = Cache::builder().max_capacity(MAX_REMEMBERED).time_to_live(BELIEVED_FOR).build();
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
        let now = Instant::now();
        let known = self.memory.get(&hash).await;
        if let Some(known) = &known
            && now < known.ask_again
        {
            count("hit");
            return Ok(known.answer.clone());
        }
        count("miss");
        let before = self.forgotten.load(Ordering::Acquire);
        // Only an answer that let somebody in is worth holding on to; and while one request asks, others rely on it.
        let held = known.filter(|known| known.answer.is_some() && now < known.answered + BELIEVED_FOR);
        if let Some(held) = &held {
            self.remember(hash, Known { ask_again: now + ASK_AGAIN_AFTER, ..held.clone() }, before).await;
        }
        match (ask(&self.broker).await, held) {
            (Ok(answer), _) => {
                let answer = answer.map(Arc::new);
                let fresh = if answer.is_some() { KNOWN_FOR } else { UNKNOWN_FOR };
                let answered = Instant::now();
                let known = Known { answer: answer.clone(), answered, ask_again: answered + fresh };
                self.remember(hash, known, before).await;
                Ok(answer)
            }
            (Err(error), Some(held)) if self.forgotten.load(Ordering::Acquire) == before => {
                metrics::counter!("dependency_failures_total", "dependency" => "auth").increment(1);
                tracing::warn!(%error, "going on with what auth said {:?} ago", held.answered.elapsed());
                Ok(held.answer)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn remember(&self, hash: [u8; 32], known: Known<A>, before: u64) {
        self.memory.insert(hash, known).await;
        // Looked at after the insertion: the answer may be from before a revocation that was forgotten meanwhile.
        if self.forgotten.load(Ordering::Acquire) != before {
            self.memory.invalidate(&hash).await;
        }
    }

    /// Forgets everything whenever something is revoked, and whenever a revocation may have been missed.
    pub(crate) async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        revocations::listen(&self.broker, shutdown, |_anything| self.forget()).await
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.memory.invalidate_all();
    }
}
