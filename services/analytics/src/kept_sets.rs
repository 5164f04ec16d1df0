//! Activity sets that were read a while ago, in memory: most days have not changed since the last question.
//!
//! As with [postings](crate::postings), a set is used only for the edition that it was read as, which every question looks up in
//! its own snapshot.

use std::sync::Arc;

use chrono::NaiveDate;
use millrace_domain::ids::ProjectId;
use millrace_storage::activity_editions::EditionOfDay;
use moka::sync::Cache;
use roaring::RoaringBitmap;

/// What an entry takes beside its set.
const OVERHEAD: usize = 256;

/// The sets in memory, within a budget of bytes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeptSets {
    kept: Cache<(ProjectId, String, NaiveDate), Arc<Kept>>,
    unions: Cache<(ProjectId, String, NaiveDate, NaiveDate), Arc<KeptUnion>>,
}

/// Who was active at all from one day to another.
#[derive(Debug)]
struct KeptUnion {
    days: Vec<EditionOfDay>,
    users: Arc<RoaringBitmap>,
}

#[derive(Debug)]
struct Kept {
    edition: (i64, i64),
    users: Arc<RoaringBitmap>,
}

impl KeptSets {
    /// None yet; at most `budget` bytes of them.
    #[must_use]
    pub fn new(budget: u64) -> Self {
        let weight = |users: &RoaringBitmap, days: usize| {
            u32::try_from(OVERHEAD * days + users.serialized_size()).unwrap_or(u32::MAX)
        };
        let for_unions = budget / 4;
        let kept = Cache::builder()
            .weigher(move |_, kept: &Arc<Kept>| weight(&kept.users, 1))
            .max_capacity(budget - for_unions)
            .build();
        let unions = Cache::builder()
            .weigher(move |_, kept: &Arc<KeptUnion>| weight(&kept.users, kept.days.len() + 1))
            .max_capacity(for_unions)
            .build();
        Self { kept, unions }
    }

    /// A day, if it is kept in this edition.
    #[must_use]
    pub fn get(&self, project: ProjectId, day: &EditionOfDay) -> Option<Arc<RoaringBitmap>> {
        let key = (project, day.event_type.clone(), day.day);
        let kept = self.kept.get(&key).filter(|kept| kept.edition == day.edition);
        let result = if kept.is_some() { "hit" } else { "miss" };
        metrics::counter!("cache_requests_total", "tier" => "sets", "result" => result).increment(1);
        kept.map(|kept| kept.users.clone())
    }

    /// Keeps a day.
    pub fn put(&self, project: ProjectId, day: &EditionOfDay, users: Arc<RoaringBitmap>) {
        let key = (project, day.event_type.clone(), day.day);
        self.kept.insert(key, Arc::new(Kept { edition: day.edition, users }));
    }

    /// The union of the sets of these days of one type, by day, if it is kept and each of them has its edition.
    #[must_use]
    pub fn union(&self, project: ProjectId, days: &[EditionOfDay]) -> Option<Arc<RoaringBitmap>> {
        let kept = self.unions.get(&stretch(project, days)?).filter(|kept| kept.days == days);
        kept.map(|kept| kept.users.clone())
    }

    /// Keeps the union of the sets of these days of one type, by day.
    pub fn put_union(&self, project: ProjectId, days: &[EditionOfDay], users: Arc<RoaringBitmap>) {
        if let Some(key) = stretch(project, days) {
            self.unions.insert(key, Arc::new(KeptUnion { days: days.to_vec(), users }));
        }
    }
}

fn stretch(project: ProjectId, days: &[EditionOfDay]) -> Option<(ProjectId, String, NaiveDate, NaiveDate)> {
    let (first, last) = (days.first()?, days.last()?);
    Some((project, first.event_type.clone(), first.day, last.day))
}
