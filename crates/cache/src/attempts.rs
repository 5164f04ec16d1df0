//! Failed attempts to prove who one is, and the lock-out they lead to.
//!
//! An attempt is counted before it is made and taken back if it does not fail, so that a thousand at once are not a
//! thousand guesses. It is counted under several keys, say an account and an address; one that is locked refuses it.
//! Locks grow with every one that follows, until none has followed for a day.
//!
//! With Redis away every process counts for itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_redis::redis::Script;
use sha2::{Digest, Sha256};

use crate::address;
use crate::link::{CacheError, Link};
use tally::Tallies;

mod tally;

const BEGIN: &str = include_str!("attempts/begin.lua");
const TAKE_BACK: &str = include_str!("attempts/take_back.lua");

/// When too many is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// This many failures within `window` lock.
    pub limit: u32,
    /// See `limit`.
    pub window: Duration,
    /// How long the first lock lasts. Each one that follows lasts twice as long as the one before.
    pub first_lock: Duration,
    /// How long a lock lasts at most: whoever fails on purpose keeps somebody else out for no longer.
    pub longest_lock: Duration,
    /// How long after a lock the next one grows.
    pub memory: Duration,
}

impl Law {
    /// For signing in: five a minute, then locked for one minute, two, four, eight, and fifteen.
    pub const LOGIN: Self = Self {
        limit: 5,
        window: Duration::from_secs(60),
        first_lock: Duration::from_secs(60),
        longest_lock: Duration::from_secs(15 * 60),
        memory: Duration::from_secs(24 * 60 * 60),
    };
}

/// Counts attempts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Attempts {
    link: Link,
    law: Law,
    own: Arc<Tallies>,
}

/// An attempt that may be made. It counts as failed unless it is said to be something else.
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    account: String,
    address: String,
}

impl Attempts {
    /// Counts in the Redis at `url`, which is connected to when first used.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: &str, law: Law) -> Result<Self, CacheError> {
        Ok(Self { link: Link::new(url)?, law, own: Arc::default() })
    }

    /// Begins an attempt to prove to be `account` from `address`.
    ///
    /// # Errors
    /// How long to wait, when the account or the address is locked.
    pub async fn begin(&self, account: &str, address: IpAddr) -> Result<Attempt, Duration> {
        let attempt = Attempt { account: account_key(account), address: address_key(address) };
        let keys = [attempt.account.clone(), attempt.address.clone()];
        let law = &self.law;
        let script = Script::new(BEGIN);
        let mut call = script.key(&keys[..]);
        call.arg(law.limit);
        for length in [law.window, law.first_lock, law.longest_lock, law.memory] {
            call.arg(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        }
        let wait = self.link.with(async |connection| call.invoke_async::<u64>(connection).await).await;
        let wait =
            wait.map_or_else(|_away| self.own.begin(&keys, law, Instant::now()), Duration::from_millis);
        if wait.is_zero() { Ok(attempt) } else { Err(wait) }
    }

    /// It was the account. What it failed before is forgiven; what its address did with other accounts is not.
    pub async fn succeeded(&self, attempt: Attempt) {
        self.forget(&attempt.account).await;
        self.take_back(&[attempt.address]).await;
    }

    /// It came to nothing that can be counted.
    pub async fn abandoned(&self, attempt: Attempt) {
        self.take_back(&[attempt.account, attempt.address]).await;
    }

    /// Unlocks an account. Addresses stay locked. With Redis away, locks of other processes stay, too.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unlock(&self, account: &str) -> Result<(), CacheError> {
        self.forget_in_redis(&account_key(account)).await
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), CacheError> {
        self.link.ping().await
    }

    async fn forget(&self, key: &str) {
        self.own.forget(key);
        // Counted and logged by the link; the key expires.
        let _ = self.forget_in_redis(key).await;
    }

    async fn forget_in_redis(&self, key: &str) -> Result<(), CacheError> {
        let mut del = deadpool_redis::redis::cmd("DEL");
        del.arg(key);
        self.link.with(async |connection| del.query_async::<()>(connection).await).await
    }

    async fn take_back(&self, keys: &[String]) {
        self.own.take_back(keys, &self.law, Instant::now());
        let script = Script::new(TAKE_BACK);
        let mut call = script.key(keys);
        call.arg(self.law.limit);
        // As above.
        let _ = self.link.with(async |connection| call.invoke_async::<()>(connection).await).await;
    }
}

/// The braces keep all of them on one node of a cluster, as the script needs. Redis need not know addresses of people.
fn account_key(account: &str) -> String {
    let digest = Sha256::digest(account.as_bytes());
    let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("mr:{{login}}:account:{name}")
}

fn address_key(address: IpAddr) -> String {
    format!("mr:{{login}}:address:{}", address::name(address))
}
