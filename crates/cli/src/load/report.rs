use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;

use crate::api::Verdict;
use crate::pace;

/// What a load run came to. Every event sent is in one of `accepted`, `duplicates`, `rejected`,
/// `refused` and `in_doubt`.
#[derive(Debug, Clone)]
pub struct Report {
    /// The type of all events of the run.
    pub event_type: String,
    /// When the first request was made.
    pub started: DateTime<Utc>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Events that were sent.
    pub sent: u64,
    /// Events that the server took in.
    pub accepted: u64,
    /// Events that it knew already.
    pub duplicates: u64,
    /// Events that it found fault with.
    pub rejected: u64,
    /// Events of requests that it did not take, such as with 429 or 503.
    pub refused: u64,
    /// Events of requests without an answer: they may have arrived or not.
    pub in_doubt: u64,
    /// Answers by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by what went wrong.
    pub errors: BTreeMap<&'static str, u64>,
    /// How long answered requests took, in microseconds.
    pub latency: Histogram<u64>,
}

impl Report {
    pub(super) fn new(event_type: String, latency: Histogram<u64>) -> Self {
        Self {
            event_type,
            started: Utc::now(),
            elapsed: Duration::ZERO,
            sent: 0,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            refused: 0,
            in_doubt: 0,
            statuses: BTreeMap::new(),
            errors: BTreeMap::new(),
            latency,
        }
    }

    /// Events accepted a second.
    #[must_use]
    pub fn accepted_per_second(&self) -> f64 {
        pace::per_second(self.accepted, self.elapsed)
    }

    /// Requests answered a second, whatever the answer.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        pace::per_second(self.statuses.values().sum(), self.elapsed)
    }

    /// The latency that a share of the requests, such as 0.99, did not exceed.
    #[must_use]
    pub fn latency_quantile(&self, share: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(share))
    }

    pub(super) fn answered(&mut self, status: u16, events: u64, verdict: Option<&Verdict>, took: Duration) {
        self.sent += events;
        *self.statuses.entry(status).or_default() += 1;
        self.latency.saturating_record(took.as_micros().try_into().unwrap_or(u64::MAX));
        match verdict {
            Some(verdict) => {
                self.accepted += verdict.accepted;
                self.duplicates += verdict.duplicates;
                self.rejected += verdict.rejected;
            }
            None => self.refused += events,
        }
    }

    pub(super) fn unanswered(&mut self, error: &'static str, events: u64) {
        self.sent += events;
        self.in_doubt += events;
        *self.errors.entry(error).or_default() += 1;
    }

    /// Adds what another connection of the same run came to.
    pub(super) fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.rejected += other.rejected;
        self.refused += other.refused;
        self.in_doubt += other.in_doubt;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        // Both have the same bounds, so nothing can lie outside.
        let _ = self.latency.add(other.latency);
    }
}
