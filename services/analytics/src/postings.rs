//! Postings that were read a while ago, in memory: most of a question about the order of events is about days that have
//! not changed since the last one.
//!
//! A posting is used only for the edition that it was read as, which every question looks up in its own snapshot, so an
//! answer from memory is the answer that the events would give.
//!
//! All postings together, those that are kept and those that some question still uses, stay within the budget: whoever
//! reads some takes room for them first, for which postings go that nobody uses, those first that were not used for longest.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Days, NaiveTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_storage::postings::{By, ByValue, Edition};

/// What an entry takes beside its events.
const OVERHEAD: u64 = 256;
/// Bytes of an event: about two of its user, up to five of its time.
const EVENT: u64 = 8;
/// About what the text of a value and its posting take beside the events.
const VALUE: u64 = 160;

/// A day of an event type.
#[derive(Debug)]
pub struct Kept {
    /// As which it was read.
    edition: Edition,
    /// Who did it when, by the value of the property asked for, or all together.
    pub by_value: ByValue,
    _room: PostingsRoom,
}

/// A project's event type on a day, by the values of a property or all together.
pub type Key = (ProjectId, EventType, Option<By>, DateTime<Utc>);

/// The postings in memory, within a budget of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Postings {
    budget: u64,
    taken: Arc<AtomicU64>,
    kept: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    /// With when they were last used.
    by_key: HashMap<Key, (Arc<Kept>, u64)>,
    uses: u64,
}

/// Room for postings, until it is dropped.
#[derive(Debug, Default)]
pub struct PostingsRoom {
    taken: Arc<AtomicU64>,
    bytes: u64,
}

impl Postings {
    /// None yet; at most `budget` bytes of them.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        Self { budget, taken: Arc::default(), kept: Arc::default() }
    }

    /// Whether so many events, each with its user and time, can be in memory at once, with some room beside them.
    #[must_use]
    pub fn have_room_for(&self, events: u64) -> bool {
        events.saturating_mul(EVENT) <= self.budget / 6 * 5
    }

    /// Room for a day of so many events; nothing when questions use too much of it.
    #[must_use]
    pub fn room(&self, events: u64, by_value: bool) -> Option<PostingsRoom> {
        let values = if by_value { events.min(1_000) * VALUE } else { VALUE };
        let bytes = OVERHEAD + events.saturating_mul(EVENT) + values;
        let take = || {
            let with = |taken: u64| taken.checked_add(bytes).filter(|taken| *taken <= self.budget);
            self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with).is_ok()
        };
        let taken = take() || {
            self.let_go(bytes);
            take()
        };
        taken.then(|| PostingsRoom { taken: self.taken.clone(), bytes })
    }

    /// A day, if it is kept in this edition.
    #[must_use]
    pub fn get(&self, key: &Key, edition: Edition) -> Option<Arc<Kept>> {
        let mut entries = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let uses = entries.uses;
        let entry = entries.by_key.get_mut(key).filter(|(kept, _)| kept.edition == edition);
        let kept = entry.map(|(kept, used)| {
            *used = uses;
            kept.clone()
        });
        let result = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "tier" => "postings", "result" => result).increment(1);
        kept
    }

    /// Keeps a day for which there is room, and gives it back.
    pub fn put(&self, key: Key, edition: Edition, by_value: ByValue, room: PostingsRoom) -> Arc<Kept> {
        let kept = Arc::new(Kept { edition, by_value, _room: room });
        let mut entries = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let entry = (kept.clone(), entries.uses);
        entries.by_key.insert(key, entry);
        kept
    }

    /// Lets go of postings that nobody uses, of so many bytes and an eighth of the budget, so that not everybody has to.
    fn let_go(&self, bytes: u64) {
        let mut entries = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = |(kept, _): &(Arc<Kept>, u64)| Arc::strong_count(kept) == 1;
        let mut idle: Vec<(u64, Key)> = entries
            .by_key
            .iter()
            .filter(|(_, entry)| unused(entry))
            .map(|(key, (_, used))| (*used, key.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        let enough = self.budget.saturating_sub(bytes.saturating_add(self.budget / 8));
        for (_, key) in idle {
            if self.taken.load(Ordering::Relaxed) <= enough {
                break;
            }
            entries.by_key.remove(&key);
        }
    }
}

impl Drop for PostingsRoom {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
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
    fn postings_go_that_nobody_uses_and_no_others() {
        let postings = Postings::new(100_000);
        let project = ProjectId::new();
        let key = |kind: &str| (project, EventType::parse(kind).unwrap(), None, DateTime::UNIX_EPOCH);
        let keep = |kind: &str| {
            let room = postings.room(3_000, false)?;
            Some(postings.put(key(kind), Edition::default(), ByValue::new(), room))
        };
        let kept = |kind: &str| postings.get(&key(kind), Edition::default()).is_some();
        let in_use = keep("a").unwrap();
        for kind in ["b", "c", "d"] {
            keep(kind).unwrap();
        }
        assert!(kept("b"));
        keep("e").unwrap();
        // Those that were not used for longest made room.
        assert_eq!(["a", "b", "c", "d", "e"].map(kept), [true, true, false, false, true]);
        let all: Vec<_> = ["f", "g", "h"].iter().map(|kind| keep(kind).unwrap()).collect();
        assert!(keep("i").is_none(), "all of them are in use");
        drop(all);
        keep("i").unwrap();
        assert!(kept("a"));
        drop(in_use);
    }

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
