//! Postings that were read a while ago, in memory: most of a question about the order of events is about days that have
//! not changed since the last one.
//!
//! A posting is used only for the edition that it was read as, which every question looks up in its own snapshot, so an
//! answer from memory is the answer that the events would give.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveTime, Utc};
use millrace_domain::analytics::posting::Posting;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::{EventType, PropertyName};
use millrace_storage::postings::{ByValue, Edition};
use moka::future::Cache;

/// What an entry takes beside its events.
const OVERHEAD: usize = 256;

/// A day of an event type.
#[derive(Debug)]
pub struct Kept {
    /// As which it was read.
    edition: Edition,
    /// Who did it when, by the value of the property asked for, or all together.
    pub by_value: ByValue,
}

/// A project's event type on a day, by the values of a property or all together.
pub type Key = (ProjectId, EventType, Option<PropertyName>, DateTime<Utc>);

/// The postings in memory, within a budget of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Postings {
    budget: u64,
    kept: Cache<Key, Arc<Kept>>,
}

impl Postings {
    /// None yet; at most `budget` bytes of them.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let kept = Cache::builder()
            .weigher(|_: &Key, kept: &Arc<Kept>| u32::try_from(kept.bytes()).unwrap_or(u32::MAX))
            .max_capacity(budget)
            .build();
        Self { budget, kept }
    }

    /// Whether so many events, each with its user and time in about eight bytes, leave room for as much again.
    #[must_use]
    pub fn have_room_for(&self, events: u64) -> bool {
        events.saturating_mul(8) <= self.budget / 2
    }

    /// A day, if it is kept in this edition.
    pub async fn get(&self, key: &Key, edition: Edition) -> Option<Arc<Kept>> {
        let kept = self.kept.get(key).await.filter(|kept| kept.edition == edition);
        let result = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "tier" => "postings", "result" => result).increment(1);
        kept
    }

    /// Keeps a day, and gives it back.
    pub async fn put(&self, key: Key, edition: Edition, by_value: ByValue) -> Arc<Kept> {
        let kept = Arc::new(Kept { edition, by_value });
        self.kept.insert(key, kept.clone()).await;
        kept
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let value = |(value, posting): &(Option<String>, Posting)| {
            posting.bytes() + value.as_ref().map_or(0, String::len) + size_of::<(Option<String>, Posting)>()
        };
        OVERHEAD + self.by_value.iter().map(value).sum::<usize>()
    }
}

/// The midnights in UTC of the days that share a moment with `from..to`, and the one after the last.
#[must_use]
pub fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let midnight = |date: chrono::NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let mut date = from.date_naive();
    let mut days = vec![midnight(date)];
    while days.last().is_some_and(|day| *day < to) {
        let Some(next) = date.checked_add_days(Days::new(1)) else { break };
        date = next;
        days.push(midnight(date));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_cover_the_time_asked_about() {
        let of = |from: &str, to: &str| {
            let days = days(from.parse().unwrap(), to.parse().unwrap());
            (
                days.first().unwrap().date_naive().to_string(),
                days.last().unwrap().date_naive().to_string(),
                days.len(),
            )
        };
        assert_eq!(
            of("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"),
            ("2026-11-01".into(), "2026-11-02".into(), 2)
        );
        assert_eq!(
            of("2026-11-01T23:00:00Z", "2026-11-02T01:00:00Z"),
            ("2026-11-01".into(), "2026-11-03".into(), 3)
        );
    }
}
