//! A Redis pool that knows when to stop asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool::managed::{self, Metrics, Pool, PoolError, RecycleResult, Timeouts};
use deadpool_redis::Runtime;
use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{self, RedisError};

/// How long a request may wait for Redis to spare it work: less than it saves.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// After a failure Redis is left alone for this long, so that its absence costs a request nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a connection is taken to be good after it was used.
const FRESH: Duration = Duration::from_secs(1);

/// Redis is away, or was a moment ago.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It failed less than a second ago and is not asked again yet.
    #[error("Redis is away")]
    Away,
    /// No connection.
    #[error("no connection to Redis: {0}")]
    Pool(#[from] PoolError<RedisError>),
    /// It refused.
    #[error("Redis failed: {0}")]
    Redis(#[from] RedisError),
    /// It is too slow to be of use.
    #[error("Redis did not answer within {0:?}")]
    Slow(Duration),
    /// The address is not one.
    #[error("REDIS_URL: {0}")]
    Url(String),
}

/// Makes connections, and tries one that was idle before it is used again. One that was used a moment ago is not tried:
/// that would be a second round trip for every first one.
#[derive(Debug)]
struct Manager(deadpool_redis::Manager);

impl managed::Manager for Manager {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.0.create().await
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < FRESH { Ok(()) } else { self.0.recycle(connection, metrics).await }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pool: Pool<Manager>,
    patience: Duration,
    started: Instant,
    /// Milliseconds after `started` until which Redis is left alone.
    paused_until: Arc<AtomicU64>,
}

impl Link {
    /// `patience`: how long whoever asks may wait.
    pub(crate) fn new(url: &str, patience: Duration) -> Result<Self, CacheError> {
        let manager = deadpool_redis::Manager::new(url).map_err(|e| CacheError::Url(e.to_string()))?;
        let pool = Pool::builder(Manager(manager))
            .max_size(16)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(patience), create: Some(patience), recycle: Some(patience) })
            .build()
            .map_err(|e| CacheError::Url(e.to_string()))?;
        Ok(Self { pool, patience, started: Instant::now(), paused_until: Arc::default() })
    }

    /// Does `work` with a connection, unless Redis failed a moment ago.
    pub(crate) async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&mut MultiplexedConnection) -> Result<T, RedisError>,
    ) -> Result<T, CacheError> {
        if self.elapsed() < self.paused_until.load(Ordering::Relaxed) {
            return Err(CacheError::Away);
        }
        // Boxed: making a connection is rare, and its future would be part of that of every request.
        let attempt = Box::pin(async {
            // Given back before it is used: what many requests ask at the same time then travels together over few
            // connections, each of which knows whose answer is whose.
            let mut connection = MultiplexedConnection::clone(&*self.pool.get().await?);
            Ok(work(&mut connection).await?)
        });
        let late = |_elapsed| Err(CacheError::Slow(self.patience));
        let outcome = tokio::time::timeout(self.patience, attempt).await.unwrap_or_else(late);
        if let Err(error) = &outcome {
            let pause = u64::try_from(PAUSE.as_millis()).unwrap_or(u64::MAX);
            self.paused_until.store(self.elapsed() + pause, Ordering::Relaxed);
            metrics::counter!("dependency_failures_total", "dependency" => "redis").increment(1);
            tracing::warn!(%error, "going on without Redis for {PAUSE:?}");
        }
        outcome
    }

    /// Whether Redis answers.
    pub(crate) async fn ping(&self) -> Result<(), CacheError> {
        self.with(async |connection| redis::cmd("PING").query_async::<()>(connection).await).await
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
