//! Who was active at all on a stretch of days, by type: what was put together for a question before is the answer again
//! if each of the days still has its edition.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chrono::NaiveDate;
use millrace_storage::activity_editions::{self, EditionOfDay};
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use roaring::RoaringBitmap;

use super::Reader;

impl Reader {
    /// The union of the sets of each of these types that has any on these days.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn unions(
        &mut self,
        what: &'static str,
        project: &Project,
        types: &[&str],
        days: Range<NaiveDate>,
    ) -> Result<BTreeMap<String, Arc<RoaringBitmap>>, StorageError> {
        let kept = self.memory.sets.clone();
        let conn = self.roll_ups(what).await?;
        let mut editions = activity_editions::editions(conn, project.id, types, days.start, days.end).await?;
        editions
            .sort_unstable_by(|one, other| (&one.event_type, one.day).cmp(&(&other.event_type, other.day)));
        let stretches: Vec<&[EditionOfDay]> =
            editions.chunk_by(|one, other| one.event_type == other.event_type).collect();
        let mut unions = BTreeMap::new();
        let mut missing = Vec::new();
        for stretch in &stretches {
            match (stretch.first(), kept.union(project.id, stretch)) {
                (Some(day), Some(users)) => {
                    unions.insert(day.event_type.clone(), users);
                }
                _ => missing.extend_from_slice(stretch),
            }
        }
        let mut gathered = BTreeMap::<String, RoaringBitmap>::new();
        self.each_set(project, missing, |day, users| {
            *gathered.entry(day.event_type.clone()).or_default() |= users.as_ref();
        })
        .await?;
        for (event_type, users) in gathered {
            let users = Arc::new(users);
            let of_type =
                |stretch: &&&[EditionOfDay]| stretch.first().is_some_and(|day| day.event_type == event_type);
            if let Some(stretch) = stretches.iter().find(of_type) {
                kept.put_union(project.id, stretch, users.clone());
            }
            unions.insert(event_type, users);
        }
        Ok(unions)
    }
}
