//! The law of `take.lua` in Rust: the generic cell rate algorithm, told as a bucket that leaks. It is full at `burst`,
//! leaks `per_second`, and what is to be done must fit.
//!
//! A cost of more than the burst goes when the bucket is empty, and overfills it: it would never go otherwise, and what
//! follows waits the longer.

use std::time::Duration;

use millrace_domain::rate::Rate;

/// Fractions of a unit are sums of rounded numbers.
const SLACK: f64 = 1e-6;
const MICROS: f64 = 1e6;

/// What is in a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bucket {
    /// Microseconds of any clock.
    pub(super) at: u64,
    pub(super) level: f64,
}

/// What a bucket says of a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whole units that may still be taken at once.
    pub remaining: u32,
    /// How long until the cost fits; zero when it was taken.
    pub wait: Duration,
    /// How long until one more unit remains; zero when the bucket is empty.
    pub more: Duration,
}

impl Bucket {
    /// What is in it at a later time.
    fn leaked(self, rate: Rate, now: u64) -> Self {
        let elapsed = micros(now.saturating_sub(self.at));
        let leaked = elapsed * rate.per_second() / MICROS;
        Self { at: now, level: (self.level - leaked).max(0.0) }
    }

    fn fits(self, rate: Rate, cost: u32) -> bool {
        let burst = rate.burst();
        self.level + f64::from(cost.min(burst)) <= f64::from(burst) + SLACK
    }

    fn standing(self, rate: Rate, waits_for: Option<u32>) -> Standing {
        let (per_second, burst) = (rate.per_second(), f64::from(rate.burst()));
        let until = |surplus: f64| from_micros((surplus / per_second * MICROS).ceil());
        let remaining = (burst - self.level + SLACK).floor().max(0.0);
        Standing {
            remaining: whole(remaining),
            wait: waits_for
                .map_or(Duration::ZERO, |cost| until(self.level + f64::from(cost.min(rate.burst())) - burst)),
            more: if remaining >= burst {
                Duration::ZERO
            } else {
                until(self.level - burst + remaining + 1.0)
            },
        }
    }
}

/// Takes `cost` from all buckets or from none. The first one that refuses, and how each stands.
pub(super) fn take(buckets: &mut [(Bucket, Rate)], cost: u32, now: u64) -> (Option<usize>, Vec<Standing>) {
    let mut later: Vec<Bucket> = buckets.iter().map(|(bucket, rate)| bucket.leaked(*rate, now)).collect();
    let refused = later.iter().zip(buckets.iter()).position(|(bucket, (_, rate))| !bucket.fits(*rate, cost));
    if refused.is_none() {
        for (later, (bucket, _)) in later.iter_mut().zip(buckets.iter_mut()) {
            later.level += f64::from(cost);
            *bucket = *later;
        }
    }
    let waits_for = refused.map(|_| cost);
    let standings =
        later.iter().zip(buckets.iter()).map(|(bucket, (_, rate))| bucket.standing(*rate, waits_for));
    (refused, standings.collect())
}

/// Exact for the times that clocks show.
#[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
fn micros(count: u64) -> f64 {
    count as f64
}

fn from_micros(count: f64) -> Duration {
    Duration::try_from_secs_f64(count.max(0.0) / MICROS).unwrap_or(Duration::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and a burst, and whole"
)]
fn whole(count: f64) -> u32 {
    count as u32
}

#[cfg(test)]
mod tests;
