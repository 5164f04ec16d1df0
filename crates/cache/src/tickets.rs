//! What tickets stand for, for one use each: in Redis, so that any gateway takes what another has given; without one, in
//! this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::redis;

use crate::link::{CacheError, Link, PATIENCE};

/// Tickets that one process keeps at most; whoever is asked for more forgets one.
const MAX_KEPT: usize = 10_000;

/// Keeps tickets. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tickets(Place);

#[derive(Clone, Debug)]
enum Place {
    Redis(Link),
    Here(Arc<Mutex<HashMap<[u8; 32], Kept>>>),
}

#[derive(Debug)]
struct Kept {
    until: Instant,
    sealed: Vec<u8>,
}

impl Tickets {
    /// Keeps them in the Redis at `url`, which is connected to when first used; without one, in this process.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: Option<&str>) -> Result<Self, CacheError> {
        Ok(Self(match url {
            Some(url) => Place::Redis(Link::new(url, PATIENCE)?),
            None => Place::Here(Arc::default()),
        }))
    }

    /// Keeps what a ticket stands for under its hash, for as long as it is good.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn keep(&self, hash: &[u8; 32], sealed: &[u8], lifetime: Duration) -> Result<(), CacheError> {
        match &self.0 {
            Place::Redis(link) => {
                let mut set = redis::cmd("SET");
                set.arg(name(hash))
                    .arg(sealed)
                    .arg("PX")
                    .arg(u64::try_from(lifetime.as_millis()).unwrap_or(0));
                link.with(async |connection| set.query_async::<()>(connection).await).await
            }
            Place::Here(kept) => {
                let now = Instant::now();
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() >= MAX_KEPT {
                    kept.retain(|_, kept| now < kept.until);
                }
                if kept.len() >= MAX_KEPT
                    && let Some(any) = kept.keys().next().copied()
                {
                    kept.remove(&any);
                }
                kept.insert(*hash, Kept { until: now + lifetime, sealed: sealed.to_vec() });
                Ok(())
            }
        }
    }

    /// Takes what a ticket stands for: once, and in time.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn take(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, CacheError> {
        match &self.0 {
            Place::Redis(link) => {
                let mut take = redis::cmd("GETDEL");
                take.arg(name(hash));
                link.with(async |connection| take.query_async(connection).await).await
            }
            Place::Here(kept) => {
                let taken = kept.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
                Ok(taken.filter(|kept| Instant::now() < kept.until).map(|kept| kept.sealed))
            }
        }
    }
}

fn name(hash: &[u8; 32]) -> String {
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("mr:ticket:{hash}")
}

#[cfg(test)]
mod tests {
    use millrace_testkit::redis::TestRedis;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn is_good_once(given: &Tickets, taken: &Tickets) {
        given.keep(&[1; 32], b"sealed", MINUTE).await.unwrap();
        assert_eq!(taken.take(&[2; 32]).await.unwrap(), None);
        assert_eq!(taken.take(&[1; 32]).await.unwrap(), Some(b"sealed".to_vec()));
        assert_eq!(given.take(&[1; 32]).await.unwrap(), None);
        given.keep(&[1; 32], b"sealed", Duration::from_millis(1)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(taken.take(&[1; 32]).await.unwrap(), None, "too late");
    }

    #[tokio::test]
    async fn a_ticket_is_good_once_at_any_gateway() {
        let redis = TestRedis::isolated().await;
        let [one, other] = [(); 2].map(|()| Tickets::new(Some(redis.url())).unwrap());
        is_good_once(&one, &other).await;
    }

    #[tokio::test]
    async fn without_redis_a_ticket_is_good_once_where_it_was_given() {
        let tickets = Tickets::new(None).unwrap();
        is_good_once(&tickets, &tickets.clone()).await;
        for n in 0..=MAX_KEPT {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_be_bytes());
            tickets.keep(&hash, b"", MINUTE).await.unwrap();
        }
        let Place::Here(kept) = &tickets.0 else { unreachable!() };
        assert_eq!(kept.lock().unwrap().len(), MAX_KEPT);
    }
}
