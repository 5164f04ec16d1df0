//! The second way for revocations to travel, beside the broker's broadcast: a number that grows with each.
//!
//! Whoever remembers answers of auth looks at the number again and again, and forgets them when it is another one. So a
//! revocation arrives while the broker is away, and one that was made while both were away arrives when either is back.

use std::time::Duration;

use deadpool_redis::redis;
use tokio_util::sync::CancellationToken;

use crate::link::{CacheError, Link, PATIENCE};

const KEY: &str = "mr:revocations";
/// How often the number is looked at. A revocation is promised to arrive within a second.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often while Redis is away: each look that fails is logged.
const INTERVAL_AWAY: Duration = Duration::from_secs(5);

/// The number of revocations. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RevocationCount {
    link: Link,
}

impl RevocationCount {
    /// The number in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url, PATIENCE)? })
    }

    /// Something was revoked.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn grow(&self) -> Result<(), CacheError> {
        self.link
            .with(async |connection| redis::cmd("INCR").arg(KEY).query_async::<()>(connection).await)
            .await
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.link.ping().await
    }

    /// Calls `changed` whenever the number is another one, until `shutdown`.
    ///
    /// # Errors
    /// Never: Redis may be away for as long as it likes.
    pub async fn watch(
        self,
        shutdown: CancellationToken,
        changed: impl Fn(),
    ) -> Result<(), std::convert::Infallible> {
        let mut known = None;
        let looking = async {
            loop {
                let number = self.look().await;
                let pause = if number.is_ok() { INTERVAL } else { INTERVAL_AWAY };
                if let Ok(number) = number
                    && known.replace(number) != Some(number)
                {
                    changed();
                }
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            () = looking => Ok(()),
        }
    }

    async fn look(&self) -> Result<u64, CacheError> {
        let mut get = redis::cmd("GET");
        get.arg(KEY);
        let number: Option<u64> =
            self.link.with(async |connection| get.query_async(connection).await).await?;
        Ok(number.unwrap_or_default())
    }
}
