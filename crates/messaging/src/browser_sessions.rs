//! What the cookie of a browser session stands for: a question to auth behind a local memory.
//!
//! The answer is an access token, and it is remembered for as long as that is good. The services hold every token to
//! what auth knows of it, so a session that goes on in this memory after it has ended opens nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::ids::AccountId;
use moka::Expiry;
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::revocations::{self, Revoked};
use crate::{requests, subjects};

/// A token is not used for so long before it expires: the request that carries it has to arrive somewhere.
const MARGIN: TimeDelta = TimeDelta::seconds(30);
/// How long a cookie stays refused without asking again.
const REFUSED_FOR: Duration = Duration::from_secs(1);
/// Attackers may make up cookies; the memory for them is bounded.
const MAX_REMEMBERED: u64 = 100_000;

/// The question on [`subjects::OPEN_SESSION`].
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionQuestion {
    /// The cookie's value.
    pub cookie: String,
}

/// The answer; no session when the cookie is not to be believed, or its session has ended.
#[derive(Clone, Serialize, Deserialize)]
pub struct SessionAnswer {
    /// What the cookie stands for.
    pub session: Option<OpenSession>,
}

/// A browser session that goes on.
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenSession {
    /// Whose it is.
    pub account_id: AccountId,
    /// What the services are shown in place of the cookie.
    pub access_token: String,
    /// When the access token stops being good.
    pub expires_at: DateTime<Utc>,
    /// What a page must send with whatever changes something.
    pub csrf_token: String,
    /// Another cookie that the browser should hold from now on, when this one is no longer young.
    pub renewed: Option<String>,
}

impl fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenSession({})", self.account_id)
    }
}

/// Opens the cookies of browser sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SessionOpener {
    broker: Broker,
    memory: Cache<[u8; 32], Option<Arc<OpenSession>>>,
    /// Counts the times something was forgotten.
    forgotten: Arc<AtomicU64>,
}

impl SessionOpener {
    /// An opener with nothing in memory.
    #[must_use]
    pub fn new(broker: Broker) -> Self {
        let memory = Cache::builder()
            .max_capacity(MAX_REMEMBERED)
            .expire_after(AsLongAsTheToken)
            .support_invalidation_closures()
            .build();
        Self { broker, memory, forgotten: Arc::default() }
    }

    /// What the cookie stands for at this moment; `None` when it is not to be believed, or its session has ended.
    /// Requests that show the same cookie at the same time share one question.
    ///
    /// # Errors
    /// When it is not in memory and auth does not answer.
    pub async fn open(&self, cookie: &str) -> Result<Option<Arc<OpenSession>>, MessagingError> {
        let hash = hash(cookie);
        let count = |result| {
            metrics::counter!("cache_requests_total", "tier" => "browser_sessions", "result" => result)
                .increment(1);
        };
        if let Some(known) = self.memory.get(&hash).await {
            count("hit");
            return Ok(known);
        }
        count("miss");
        let before = self.forgotten.load(Ordering::Acquire);
        let ask = async {
            let question = SessionQuestion { cookie: cookie.to_owned() };
            let answer: SessionAnswer =
                requests::ask(&self.broker, subjects::OPEN_SESSION, &question).await?;
            Ok::<_, MessagingError>(answer.session.map(Arc::new))
        };
        let session =
            self.memory.try_get_with(hash, ask).await.map_err(|error| MessagingError::clone(&error))?;
        // Looked at after the insertion: the answer may be from before a revocation that was heard of meanwhile.
        if self.forgotten.load(Ordering::Acquire) != before {
            self.memory.invalidate(&hash).await;
        }
        Ok(session)
    }

    /// Forgets a cookie: somebody who knows more has refused what it stood for.
    pub async fn forget(&self, cookie: &str) {
        self.memory.invalidate(&hash(cookie)).await;
    }

    /// Forgets what is revoked, and everything whenever a revocation may have been missed.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        revocations::listen(&self.broker, shutdown, |heard| self.hear(heard)).await
    }

    fn hear(&self, heard: Option<Revoked>) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        match heard {
            Some(Revoked::Key { .. }) => {}
            Some(Revoked::Sessions { account_id } | Revoked::Roles { account_id }) => {
                let theirs = move |_: &[u8; 32], known: &Option<Arc<OpenSession>>| {
                    known.as_ref().is_some_and(|session| session.account_id == account_id)
                };
                if let Err(error) = self.memory.invalidate_entries_if(theirs) {
                    tracing::warn!(%error, "forgetting every session in place of one");
                    self.memory.invalidate_all();
                }
            }
            Some(Revoked::SigningKeys) | None => self.memory.invalidate_all(),
        }
    }
}

fn hash(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

struct AsLongAsTheToken;

impl Expiry<[u8; 32], Option<Arc<OpenSession>>> for AsLongAsTheToken {
    fn expire_after_create(
        &self,
        _: &[u8; 32],
        known: &Option<Arc<OpenSession>>,
        _: Instant,
    ) -> Option<Duration> {
        let good_for = |session: &Arc<OpenSession>| session.expires_at - MARGIN - Utc::now();
        Some(known.as_ref().map_or(REFUSED_FOR, |session| good_for(session).to_std().unwrap_or_default()))
    }
}
