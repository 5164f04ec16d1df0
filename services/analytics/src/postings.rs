//! Postings that were read a while ago, in memory: most of a question about the order of events is about days that have
//! not changed since the last one.
//!
//! A posting is used only for the edition that it was read as, which every question looks up in its own snapshot, so an
//! answer from memory is the answer that the events would give.

use std::sync::Arc;

use chrono::{DateTime, Days, NaiveTime, Utc};
use millrace_domain::analytics::posting::Posting;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_storage::postings::Edition;
use moka::future::Cache;

/// What an entry takes beside its events.
const OVERHEAD: usize = 256;

type Key = (ProjectId, EventType, DateTime<Utc>);

/// The postings in memory, within a budget of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Postings {
    budget: u64,
    kept: Cache<Key, Arc<(Edition, Posting)>>,
}

impl Postings {
    /// None yet; at most `budget` bytes of them.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let kept = Cache::builder()
            .weigher(|_: &Key, kept: &Arc<(Edition, Posting)>| {
                u32::try_from(kept.1.bytes() + OVERHEAD).unwrap_or(u32::MAX)
            })
            .max_capacity(budget)
            .build();
        Self { budget, kept }
    }

    /// Whether so many events, each with its user and time, leave room for as much again.
    #[must_use]
    pub fn have_room_for(&self, events: u64) -> bool {
        events.saturating_mul(12) <= self.budget / 2
    }

    /// The posting of a day, if it is kept in this edition.
    pub async fn get(
        &self,
        project: ProjectId,
        event_type: &EventType,
        day: DateTime<Utc>,
        edition: Edition,
    ) -> Option<Arc<(Edition, Posting)>> {
        let found = self.kept.get(&(project, event_type.clone(), day)).await;
        let kept = found.filter(|kept| kept.0 == edition);
        let result = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "tier" => "postings", "result" => result).increment(1);
        kept
    }

    /// Keeps a posting, and gives it back.
    pub async fn put(
        &self,
        project: ProjectId,
        event_type: &EventType,
        day: DateTime<Utc>,
        edition: Edition,
        posting: Posting,
    ) -> Arc<(Edition, Posting)> {
        let kept = Arc::new((edition, posting));
        self.kept.insert((project, event_type.clone(), day), kept.clone()).await;
        kept
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
