//! The memory for events that were accepted a short while ago.
//!
//! Per project and window of time one Redis set, so that a request asks once however many events it has, and
//! forgetting is one key's expiry. Two windows are asked: what was accepted just before a window ended is remembered
//! for at least one whole window more.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_redis::redis;
use millrace_domain::ids::{EventId, ProjectId};

pub use crate::link::CacheError;
use crate::link::{Link, PATIENCE};

/// How many events one project's window remembers, but for requests that are under way when it is full; about 100 bytes
/// of Redis memory each. The rest is left to the database, which recognises repetitions for ever.
const MAX_REMEMBERED: usize = 1_000_000;
/// How long the time of first sight is kept for an event that came without a time.
const FIRST_SIGHT_SECONDS: u64 = 24 * 60 * 60;

/// What an event is recognised by: its id and its settled time, as in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 24]);

impl Fingerprint {
    /// The fingerprint of an event.
    #[must_use]
    pub fn of(event_id: EventId, occurred_at: DateTime<Utc>) -> Self {
        let mut bytes = [0; 24];
        let (id, time) = bytes.split_at_mut(16);
        id.copy_from_slice(event_id.0.as_bytes());
        time.copy_from_slice(&occurred_at.timestamp_micros().to_be_bytes());
        Self(bytes)
    }
}

impl redis::ToRedisArgs for Fingerprint {
    fn write_redis_args<W: ?Sized + redis::RedisWrite>(&self, out: &mut W) {
        out.write_arg(&self.0);
    }
}

impl redis::ToSingleRedisArg for Fingerprint {}

/// Remembers accepted events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DuplicateMemory {
    link: Link,
    window: Duration,
    /// What is known to remember no more: whose window, and which.
    full: Arc<Mutex<HashSet<(ProjectId, u64)>>>,
}

impl DuplicateMemory {
    /// A memory in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str, window: Duration) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url, PATIENCE)?, window, full: Arc::default() })
    }

    /// Which of these events were accepted before, in their order.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn seen(
        &self,
        project: ProjectId,
        events: &[Fingerprint],
        now: DateTime<Utc>,
    ) -> Result<Vec<bool>, CacheError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let window = self.window_of(now);
        let mut question = redis::pipe();
        for window in [window, window.saturating_sub(1)] {
            question.cmd("SMISMEMBER").arg(key(project, window)).arg(events);
        }
        let (present, before): (Vec<bool>, Vec<bool>) =
            self.link.with(async |connection| question.query_async(connection).await).await?;
        Ok(present.into_iter().zip(before).map(|(a, b)| a || b).collect())
    }

    /// Remembers events that the broker has acknowledged. Never earlier: an event that was remembered and then failed
    /// to publish would be refused when its sender tries again.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn remember(
        &self,
        project: ProjectId,
        events: &[Fingerprint],
        now: DateTime<Utc>,
    ) -> Result<(), CacheError> {
        if events.is_empty() {
            return Ok(());
        }
        let window = self.window_of(now);
        if self.full().contains(&(project, window)) {
            return Ok(());
        }
        let key = key(project, window);
        // Until the end of this window and of the next.
        let expiry = self.window.as_secs().saturating_mul(2);
        // Not a script, which would be handed every member one by one only to pass them on.
        let mut addition = redis::pipe();
        addition.cmd("SADD").arg(&key).arg(events).ignore();
        addition.cmd("EXPIRE").arg(&key).arg(expiry).arg("NX").ignore();
        addition.cmd("SCARD").arg(&key);
        let (size,): (usize,) =
            self.link.with(async |connection| addition.query_async(connection).await).await?;
        if size >= MAX_REMEMBERED {
            let mut full = self.full();
            full.retain(|(_, other)| *other == window);
            full.insert((project, window));
        }
        Ok(())
    }

    fn full(&self) -> MutexGuard<'_, HashSet<(ProjectId, u64)>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When each of these events, which came without a time, was first seen: `now`, or what was said before. A retry
    /// must get the same time, or it would be another event.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn first_sight(
        &self,
        project: ProjectId,
        events: &[EventId],
        now: DateTime<Utc>,
    ) -> Result<Vec<DateTime<Utc>>, CacheError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut question = redis::pipe();
        for event in events {
            question
                .cmd("SET")
                .arg(format!("mr:first:{project}:{event}"))
                .arg(now.timestamp_micros())
                .arg(&["NX", "GET", "EX"])
                .arg(FIRST_SIGHT_SECONDS);
        }
        let earlier: Vec<Option<i64>> =
            self.link.with(async |connection| question.query_async(connection).await).await?;
        Ok(earlier
            .into_iter()
            .map(|micros| micros.and_then(DateTime::from_timestamp_micros).unwrap_or(now))
            .collect())
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.link.ping().await
    }

    fn window_of(&self, now: DateTime<Utc>) -> u64 {
        u64::try_from(now.timestamp()).unwrap_or_default() / self.window.as_secs().max(1)
    }
}

fn key(project: ProjectId, window: u64) -> String {
    // The braces keep a project's windows on one node of a cluster, as the pipeline needs.
    format!("mr:seen:{{{project}}}:{window}")
}
