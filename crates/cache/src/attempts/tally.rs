//! The law of `begin.lua` and `take_back.lua` in Rust, for when Redis is away.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Law;
use crate::generations::Generations;

/// What is known of one key.
#[derive(Clone, Debug)]
struct Tally {
    since: Instant,
    failures: u32,
    level: u32,
    locked_until: Instant,
    /// Whether the lock has refused anything.
    told: bool,
}

/// Attempts in the memory of this process.
#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<Generations<Tally>>);

impl Tallies {
    /// How long to wait; zero: go, and the attempt is counted as failed until it is taken back. And whether it is the
    /// first that a lock refuses.
    pub(super) fn begin(&self, keys: &[String], law: &Law, now: Instant) -> (Duration, bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut wait, mut first) = (Duration::ZERO, false);
        for key in keys {
            let Some(tally) = known.find(key).filter(|tally| tally.locked_until > now).cloned() else {
                continue;
            };
            wait = wait.max(tally.locked_until.duration_since(now));
            if !tally.told {
                first = true;
                known.put(key, Tally { told: true, ..tally });
            }
        }
        if wait.is_zero() {
            for key in keys {
                let tally = known.find(key).cloned().filter(|tally| !tally.is_over(law, now));
                known.put(key, tally.unwrap_or_else(|| Tally::new(now)).failed_once_more(law, now));
            }
        }
        (wait, first)
    }

    /// The attempt did not fail, so it is not counted.
    pub(super) fn take_back(&self, keys: &[String], law: &Law, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if let Some(tally) = known.find(key).cloned().filter(|tally| tally.failures > 0) {
                let locked = tally.failures >= law.limit;
                let level = tally.level - u32::from(locked);
                let locked_until = if locked { now } else { tally.locked_until };
                known.put(key, Tally { failures: tally.failures - 1, level, locked_until, ..tally });
            }
        }
    }

    pub(super) fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl Tally {
    fn new(now: Instant) -> Self {
        Self { since: now, failures: 0, level: 0, locked_until: now, told: false }
    }

    /// Whether nothing of it matters any more.
    fn is_over(&self, law: &Law, now: Instant) -> bool {
        let kept = if self.level > 0 { law.memory } else { law.window };
        now.duration_since(self.since.max(self.locked_until)) >= kept
    }

    fn failed_once_more(mut self, law: &Law, now: Instant) -> Self {
        if now.duration_since(self.since) >= law.window || self.failures >= law.limit {
            self = Self { since: now, failures: 0, ..self };
        }
        self.failures += 1;
        if self.failures >= law.limit {
            let doubled = law.first_lock.saturating_mul(1 << self.level.min(16));
            self.locked_until = now + doubled.min(law.longest_lock);
            self.level += 1;
            self.told = false;
        }
        self
    }
}
