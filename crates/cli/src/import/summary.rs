use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::api::Verdict;
use crate::pace;

/// What became of the rows: `read = accepted + duplicates + rejected`.
#[derive(Debug)]
pub(super) struct Summary {
    started: Instant,
    pub(super) read: u64,
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) rejected: u64,
}

impl Summary {
    pub(super) fn begin() -> Self {
        Self { started: Instant::now(), read: 0, accepted: 0, duplicates: 0, rejected: 0 }
    }

    /// Adds the server's verdict on some rows, and rows that were not sent because of a fault.
    pub(super) fn add(&mut self, verdict: &Verdict, faulty: u64) {
        self.accepted += verdict.accepted;
        self.duplicates += verdict.duplicates;
        self.rejected += verdict.rejected + faulty;
        self.read = self.accepted + self.duplicates + self.rejected;
    }

    /// Rows settled a second.
    pub(super) fn per_second(&self) -> f64 {
        pace::per_second(self.read, self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Prints it on standard output.
    pub(super) fn print(&self, as_json: bool) -> io::Result<()> {
        let Self { read, accepted, duplicates, rejected, .. } = self;
        let (seconds, rate) = (self.elapsed().as_secs_f64(), self.per_second());
        let mut out = io::stdout().lock();
        if as_json {
            let summary = json!({
                "read": read, "accepted": accepted, "duplicates": duplicates, "rejected": rejected,
                "seconds": seconds, "events_per_second": rate,
            });
            return writeln!(out, "{summary}");
        }
        writeln!(out, "read: {read}\naccepted: {accepted}\nduplicates: {duplicates}\nrejected: {rejected}")?;
        writeln!(out, "seconds: {seconds:.3}\nevents_per_second: {rate:.0}")
    }
}
