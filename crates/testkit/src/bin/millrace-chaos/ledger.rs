//! What senders were told.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// What was sent, and what became of it as far as its senders know.
#[derive(Debug, Default)]
pub struct Ledger {
    sent: Mutex<HashSet<Uuid>>,
    acknowledged: Mutex<HashSet<Uuid>>,
    /// Requests, with all their repetitions.
    pub requests: AtomicU64,
    /// Requests that failed or were turned away.
    pub failures: AtomicU64,
    /// Requests that were sent again although they had been acknowledged.
    pub repeated: AtomicU64,
    /// Events that were refused, which none of these should be.
    pub rejected: AtomicU64,
}

impl Ledger {
    /// Notes that somebody is about to send these.
    pub fn sends(&self, ids: &[Uuid]) {
        self.sent.lock().unwrap().extend(ids);
    }

    /// Notes that these were acknowledged.
    pub fn is_told(&self, ids: &[Uuid]) {
        self.acknowledged.lock().unwrap().extend(ids);
    }

    /// Everything that was acknowledged.
    pub fn acknowledged(&self) -> HashSet<Uuid> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Everything that was sent.
    pub fn sent(&self) -> HashSet<Uuid> {
        self.sent.lock().unwrap().clone()
    }

    /// Counts one more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
