//! Failed attempts to prove who one is, and the lock-out they lead to; and what else may be done only so often.
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
pub use crate::link::CacheError;
use crate::link::Link;
use tally::Tallies;

mod tally;

/// How long an attempt waits for Redis. What is not answered in time is counted by this process alone, and so under a
/// limit of its own; a password takes a fifth of a second to try anyway.
const PATIENCE: Duration = Duration::from_secs(2);

const BEGIN: &str = include_str!("attempts/begin.lua");
const TAKE_BACK: &str = include_str!("attempts/take_back.lua");

/// When too many is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// What is counted: a part of the keys in Redis.
    pub name: &'static str,
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
        name: "login",
        limit: 5,
        window: Duration::from_secs(60),
        first_lock: Duration::from_secs(60),
        longest_lock: Duration::from_secs(15 * 60),
        memory: Duration::from_secs(24 * 60 * 60),
    };

    /// For what may be done `limit` times, and an hour later again.
    #[must_use]
    pub const fn hourly(name: &'static str, limit: u32) -> Self {
        let hour = Duration::from_secs(60 * 60);
        Self { name, limit, window: hour, first_lock: hour, longest_lock: hour, memory: hour }
    }
}

/// Counts attempts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Attempts {
    link: Link,
    law: Law,
    own: Arc<Tallies>,
}

/// An attempt that may not be made: too many have failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// How long the lock lasts.
    pub wait: Duration,
    /// Whether it is the first that this lock refuses.
    pub first: bool,
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
        Ok(Self { link: Link::new(url, PATIENCE)?, law, own: Arc::default() })
    }

    /// Begins an attempt to prove to be `account` from `address`.
    ///
    /// # Errors
    /// When the account or the address is locked.
    pub async fn begin(&self, account: &str, address: IpAddr) -> Result<Attempt, Locked> {
        let attempt = Attempt { account: self.account_key(account), address: self.address_key(address) };
        self.count(&[attempt.account.clone(), attempt.address.clone()]).await?;
        Ok(attempt)
    }

    /// Counts something that is done to `account`, wherever it comes from, and is not taken back.
    ///
    /// # Errors
    /// When it was done too often.
    pub async fn count_account(&self, account: &str) -> Result<(), Locked> {
        self.count(&[self.account_key(account)]).await
    }

    /// Counts something that is done from `address`, to whomever, and is not taken back.
    ///
    /// # Errors
    /// When it was done too often.
    pub async fn count_address(&self, address: IpAddr) -> Result<(), Locked> {
        self.count(&[self.address_key(address)]).await
    }

    async fn count(&self, keys: &[String]) -> Result<(), Locked> {
        let law = &self.law;
        let script = Script::new(BEGIN);
        let mut call = script.key(keys);
        call.arg(law.limit);
        for length in [law.window, law.first_lock, law.longest_lock, law.memory] {
            call.arg(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        }
        let told =
            self.link.with(async |connection| call.invoke_async::<(u64, bool)>(connection).await).await;
        let (wait, first) = told.map_or_else(
            |_away| self.own.begin(keys, law, Instant::now()),
            |(wait, first)| (Duration::from_millis(wait), first),
        );
        if wait.is_zero() { Ok(()) } else { Err(Locked { wait, first }) }
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

    /// Whoever it is has proved to be `account` in another way: what it failed is forgiven, and a lock of it ends.
    pub async fn forgive(&self, account: &str) {
        self.forget(&self.account_key(account)).await;
    }

    /// Unlocks an account. Addresses stay locked. With Redis away, locks of other processes stay, too.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unlock(&self, account: &str) -> Result<(), CacheError> {
        self.forget_in_redis(&self.account_key(account)).await
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

    fn account_key(&self, account: &str) -> String {
        self.key("account", &account_name(account))
    }

    fn address_key(&self, address: IpAddr) -> String {
        self.key("address", &address::name(address))
    }

    /// The braces keep all keys of a law on one node of a cluster, as the script needs.
    fn key(&self, of: &str, name: &str) -> String {
        format!("mr:{{{}}}:{of}:{name}", self.law.name)
    }
}

/// Redis need not know addresses of people.
fn account_name(account: &str) -> String {
    let digest = Sha256::digest(account.as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
