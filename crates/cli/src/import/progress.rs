use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::summary::Summary;

const EVERY: Duration = Duration::from_secs(5);

/// Tells on standard error how far the import is: a bar on a terminal, a line now and then otherwise.
pub(super) struct Progress {
    consumed: Arc<AtomicU64>,
    size: Option<u64>,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// For an input of `size` bytes, of which `consumed` are read.
    pub(super) fn new(size: Option<u64>, consumed: Arc<AtomicU64>) -> Self {
        let bar = io::stderr().is_terminal().then(|| bar(size));
        Self { consumed, size, bar, told: Instant::now() }
    }

    /// Tells how far it is, unless that was told just before.
    pub(super) fn tell(&mut self, summary: &Summary, trouble: Option<&str>) {
        let Summary { total, rejected, .. } = summary;
        let rate = summary.per_second();
        let waiting = trouble.map(|why| format!("; waiting: {why}")).unwrap_or_default();
        let message = format!("{total} rows, {rejected} rejected, {rate:.0}/s{waiting}");
        let consumed = self.consumed.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(consumed);
            bar.set_message(message);
        } else if self.told.elapsed() >= EVERY {
            self.told = Instant::now();
            let of = self.size.map(|size| format!(" of {}", HumanBytes(size))).unwrap_or_default();
            self.say(&format!("{}{of}: {message}", HumanBytes(consumed)));
        }
    }

    /// Prints a line, above the bar if there is one.
    pub(super) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            // With standard error closed there is nobody left to tell.
            None => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes} {eta} {wide_msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {wide_msg}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}
