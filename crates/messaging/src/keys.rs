//! What an API key grants: a question to auth behind a local memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use millrace_domain::access::KeyGrant;
use moka::Expiry;
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::{requests, subjects};

/// How long a grant is believed without asking again. Revocations are broadcast; this bounds what a lost broadcast
/// can cost.
const KNOWN_FOR: Duration = Duration::from_secs(30);
/// How long an unknown key is refused without asking again: a key that was just created must soon work.
const UNKNOWN_FOR: Duration = Duration::from_secs(1);
/// Attackers may make up keys; the memory for them is bounded.
const MAX_REMEMBERED: u64 = 100_000;

/// The question on [`subjects::RESOLVE_KEY`]: SHA-256 of the key, in hexadecimal. The key itself is not sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyQuestion {
    /// 64 hexadecimal digits.
    pub sha256: String,
}

/// The answer; no grant when the key is unknown, revoked or expired.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyAnswer {
    /// What the key opens.
    pub grant: Option<KeyGrant>,
}

/// Resolves API keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyResolver {
    broker: Broker,
    memory: Cache<[u8; 32], Option<Arc<KeyGrant>>>,
    /// Counts the times everything was forgotten. An answer that was on its way meanwhile is not remembered: it may
    /// be from before the revocation.
    forgotten: Arc<AtomicU64>,
}

impl KeyResolver {
    /// A resolver with nothing in memory.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        let memory = Cache::builder().max_capacity(MAX_REMEMBERED).expire_after(ByAnswer).build();
        Self { broker, memory, forgotten: Arc::default() }
    }

    /// What the key with this SHA-256 grants.
    ///
    /// # Errors
    /// When it is not in memory and auth does not answer.
    pub async fn resolve(&self, hash: [u8; 32]) -> Result<Option<Arc<KeyGrant>>, MessagingError> {
        if let Some(known) = self.memory.get(&hash).await {
            metrics::counter!("cache_requests_total", "tier" => "keys", "result" => "hit").increment(1);
            return Ok(known);
        }
        metrics::counter!("cache_requests_total", "tier" => "keys", "result" => "miss").increment(1);
        let before = self.forgotten.load(Ordering::Acquire);
        let sha256 = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let answer: KeyAnswer =
            requests::ask(&self.broker, subjects::RESOLVE_KEY, &KeyQuestion { sha256 }).await?;
        let grant = answer.grant.map(Arc::new);
        if self.forgotten.load(Ordering::Acquire) == before {
            self.memory.insert(hash, grant.clone()).await;
        }
        Ok(grant)
    }

    /// Forgets everything whenever something is revoked, and whenever a revocation may have been missed.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        let mut revocations =
            self.broker.client.subscribe(subjects::REVOKED).await.map_err(MessagingError::unavailable)?;
        let mut connects = self.broker.connects();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                revoked = revocations.next() => match revoked {
                    Some(_) => self.forget(),
                    None => return Err(MessagingError::Unavailable("the subscription to revocations ended".to_owned())),
                },
                Ok(()) = connects.changed() => self.forget(),
            }
        }
    }

    fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.memory.invalidate_all();
    }
}

struct ByAnswer;

impl Expiry<[u8; 32], Option<Arc<KeyGrant>>> for ByAnswer {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        grant: &Option<Arc<KeyGrant>>,
        _: Instant,
    ) -> Option<Duration> {
        Some(if grant.is_some() { KNOWN_FOR } else { UNKNOWN_FOR })
    }
}
