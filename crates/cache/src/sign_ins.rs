//! Sign-ins on their way to an OpenID provider and back: what was settled when one began, for ten minutes and one use.
//!
//! There is no going on without Redis here: whichever replica is called back must know what another began, and must be
//! the only one that takes it.

use std::time::Duration;

use deadpool_redis::redis;

pub use crate::link::CacheError;
use crate::link::{Link, PATIENCE};

/// How long somebody may take to sign in with the provider.
pub const LIFETIME: Duration = Duration::from_secs(600);

/// Keeps sign-ins. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SignIns {
    link: Link,
}

impl SignIns {
    /// Keeps them in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url, PATIENCE)? })
    }

    /// Keeps what was settled under a key that only whoever began the sign-in can name again.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn begin(&self, key: &[u8; 32], settled: &str) -> Result<(), CacheError> {
        let mut set = redis::cmd("SET");
        set.arg(name(key)).arg(settled).arg("EX").arg(LIFETIME.as_secs());
        self.link.with(async |connection| set.query_async::<()>(connection).await).await
    }

    /// Takes what was settled: once, and in time.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn take(&self, key: &[u8; 32]) -> Result<Option<String>, CacheError> {
        let mut take = redis::cmd("GETDEL");
        take.arg(name(key));
        self.link.with(async |connection| take.query_async(connection).await).await
    }
}

fn name(key: &[u8; 32]) -> String {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mr:sign-in:{key}")
}
