use std::io::{self, Write};
use std::time::Instant;

use serde_json::json;

use crate::api::Verdict;
use crate::pace;

/// What became of events: `total = accepted + duplicates + rejected`.
#[derive(Debug)]
pub(crate) struct Summary {
    started: Instant,
    pub(crate) total: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    pub(crate) rejected: u64,
}

impl Summary {
    pub(crate) fn begin() -> Self {
        Self { started: Instant::now(), total: 0, accepted: 0, duplicates: 0, rejected: 0 }
    }

    /// Adds the server's verdict on some events.
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.accepted += verdict.accepted;
        self.duplicates += verdict.duplicates;
        self.reject(verdict.rejected);
        self.total += verdict.accepted + verdict.duplicates;
    }

    /// Adds rejected ones.
    pub(crate) fn reject(&mut self, count: u64) {
        self.rejected += count;
        self.total += count;
    }

    /// Events settled a second, since the beginning.
    pub(crate) fn per_second(&self) -> f64 {
        pace::per_second(self.total, self.started.elapsed())
    }

    /// Prints it on standard output; `total` is the name of the total.
    pub(crate) fn print(&self, total: &str, as_json: bool) -> io::Result<()> {
        let Self { accepted, duplicates, rejected, .. } = self;
        let (seconds, rate) = (self.started.elapsed().as_secs_f64(), self.per_second());
        let mut out = io::stdout().lock();
        if as_json {
            let summary = json!({
                total: self.total, "accepted": accepted, "duplicates": duplicates, "rejected": rejected,
                "seconds": seconds, "events_per_second": rate,
            });
            return writeln!(out, "{summary}");
        }
        writeln!(out, "{total}: {}", self.total)?;
        writeln!(out, "accepted: {accepted}\nduplicates: {duplicates}\nrejected: {rejected}")?;
        writeln!(out, "seconds: {seconds:.3}\nevents_per_second: {rate:.0}")
    }
}
