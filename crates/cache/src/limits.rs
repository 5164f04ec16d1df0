//! Rate limits: buckets in Redis, shared by all who count there, by the clock of Redis, in one round trip.
//!
//! With Redis away every process counts for itself, with buckets that begin empty. So do buckets that Redis has lost.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use deadpool_redis::redis::Script;
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::Rate;

use crate::address;
use crate::generations::Generations;
use crate::link::{CacheError, Link, PATIENCE};

mod bucket;

pub use bucket::Standing;

const TAKE: &str = concat!(include_str!("limits/clock.lua"), include_str!("limits/take.lua"));

/// Whose bucket it is, and what its rate is. The policy keeps apart what is counted for different reasons.
#[derive(Clone, Debug)]
pub struct Allowance {
    key: String,
    rate: Rate,
}

impl Allowance {
    /// Of whoever shows this credential, by its SHA-256.
    #[must_use]
    pub fn of_credential(policy: &str, sha256: &[u8; 32], rate: Rate) -> Self {
        let name: String = sha256.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self::of(policy, "credential", &name, rate)
    }

    /// Of whoever comes from this address.
    #[must_use]
    pub fn of_address(policy: &str, address: IpAddr, rate: Rate) -> Self {
        Self::of(policy, "address", &address::name(address), rate)
    }

    /// Of a project.
    #[must_use]
    pub fn of_project(policy: &str, project: ProjectId, rate: Rate) -> Self {
        Self::of(policy, "project", &project.to_string(), rate)
    }

    /// The braces keep all of them on one node of a cluster, as the script needs.
    fn of(policy: &str, kind: &str, name: &str, rate: Rate) -> Self {
        Self { key: format!("mr:{{limit}}:{policy}:{kind}:{name}"), rate }
    }
}

/// What came of taking from several buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The first bucket that refused, as an index. Nothing was taken from any, then.
    pub refused: Option<usize>,
    /// How each of them stands.
    pub standings: Vec<Standing>,
}

/// Counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Limits {
    link: Option<Link>,
    script: Arc<Script>,
    own: Arc<Own>,
}

/// The buckets in the memory of this process.
#[derive(Debug)]
struct Own {
    started: Instant,
    buckets: Mutex<Generations<bucket::Bucket>>,
}

impl Limits {
    /// Counts in the Redis at `url`, which is connected to when first used; without one, in this process alone.
    ///
    /// # Errors
    /// When `url` is not an address of Redis.
    pub fn new(url: Option<&str>) -> Result<Self, CacheError> {
        let own = Arc::new(Own { started: Instant::now(), buckets: Mutex::default() });
        Ok(Self {
            link: url.map(|url| Link::new(url, PATIENCE)).transpose()?,
            script: Arc::new(Script::new(TAKE)),
            own,
        })
    }

    /// Takes `cost` units from all of these buckets, or from none if one has no room.
    pub async fn take(&self, allowances: &[Allowance], cost: u32) -> Outcome {
        match self.take_in_redis(allowances, cost).await {
            Some(outcome) => outcome,
            None => self.own.take(allowances, cost),
        }
    }

    async fn take_in_redis(&self, allowances: &[Allowance], cost: u32) -> Option<Outcome> {
        let link = self.link.as_ref()?;
        let mut call = self.script.prepare_invoke();
        call.arg(cost);
        for Allowance { key, rate } in allowances {
            call.key(key).arg(rate.per_second()).arg(rate.burst());
        }
        // A failure is counted and logged by the link.
        let answer =
            link.with(async |connection| call.invoke_async::<Vec<u64>>(connection).await).await.ok()?;
        read(&answer)
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), CacheError> {
        match &self.link {
            Some(link) => link.ping().await,
            None => Ok(()),
        }
    }
}

/// The answer of `take.lua`.
fn read(answer: &[u64]) -> Option<Outcome> {
    let (refused, standings) = answer.split_first()?;
    let standing = |values: &[u64]| match *values {
        [remaining, wait, more] => Some(Standing {
            remaining: u32::try_from(remaining).ok()?,
            wait: Duration::from_micros(wait),
            more: Duration::from_micros(more),
        }),
        _ => None,
    };
    Some(Outcome {
        refused: usize::try_from(*refused).ok()?.checked_sub(1),
        standings: standings.chunks(3).map(standing).collect::<Option<_>>()?,
    })
}

impl Own {
    fn take(&self, allowances: &[Allowance], cost: u32) -> Outcome {
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut known = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let find =
            |Allowance { key, rate }: &Allowance| (known.find(key).copied().unwrap_or_default(), *rate);
        let mut buckets: Vec<_> = allowances.iter().map(find).collect();
        let (refused, standings) = bucket::take(&mut buckets, cost, now);
        for (Allowance { key, .. }, (bucket, _)) in allowances.iter().zip(buckets) {
            known.put(key, bucket);
        }
        Outcome { refused, standings }
    }
}

#[cfg(test)]
mod tests;
