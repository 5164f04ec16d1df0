//! Metric labels whose values come from outside.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

/// How many event types have a metric of their own.
pub const EVENT_TYPE_LABELS: usize = 100;
/// The value that stands for all others.
const OTHER: &str = "other";

/// Admits the first so many values it sees; the rest is `other`. A label per value that a client may make up would
/// grow without bound.
#[derive(Debug)]
pub struct CappedLabels {
    admitted: RwLock<HashSet<Arc<str>>>,
    capacity: usize,
}

impl CappedLabels {
    /// Admits at most `capacity` values.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { admitted: RwLock::default(), capacity }
    }

    /// The label for a value.
    #[must_use]
    pub fn label(&self, value: &str) -> Arc<str> {
        let admitted = self.admitted.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = admitted.get(value) {
            return Arc::clone(label);
        }
        drop(admitted);
        let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
        if admitted.len() >= self.capacity && !admitted.contains(value) {
            return OTHER.into();
        }
        let label: Arc<str> = value.into();
        admitted.insert(Arc::clone(&label));
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_capacity_share_a_label() {
        let labels = CappedLabels::new(2);
        let seen: Vec<_> = ["a", "b", "c", "a", "d"].iter().map(|v| labels.label(v).to_string()).collect();
        assert_eq!(seen, ["a", "b", OTHER, "a", OTHER]);
    }
}
