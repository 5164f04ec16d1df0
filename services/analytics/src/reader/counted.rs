//! How often things happened, from the stored counts as far as they reach.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::rollup::bucket_of;
use millrace_domain::text::EventType;
use millrace_storage::counts::TypeSummary;
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::{counts, raw};

use super::Reader;
use crate::plan::{self, Parted};

impl Reader {
    /// How often each event type happened within `instants`: at least the `limit` most frequent ones, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counts(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
        limit: u16,
    ) -> Result<BTreeMap<EventType, u64>, StorageError> {
        let parted = match events.is_plain() {
            true => plan::counts(instants),
            false => Parted::of_events(instants),
        };
        // What is rare in the middle may be frequent at the edges.
        let limit = parted.rest.is_empty().then_some(limit);
        let mut found = BTreeMap::new();
        if let Some(buckets) = &parted.held {
            let conn = self.roll_ups("counts").await?;
            found.extend(counts::by_type(conn, project.id, buckets, limit).await?);
        }
        for rest in &parted.rest {
            let conn = self.events("the number of events").await?;
            for (event_type, count) in raw::counts(conn, project.id, events, rest).await? {
                *found.entry(event_type).or_default() += count;
            }
        }
        Ok(found)
    }

    /// The events of a type, or of any, from each of `starts` to the next one and from the last of them to `end`;
    /// nothing where the roll-ups cannot tell because somewhere in between a quarter of an hour is cut in two.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counts_by_time(
        &mut self,
        project: &Project,
        event: &EventSelector,
        starts: &[DateTime<Utc>],
        end: DateTime<Utc>,
    ) -> Result<Option<Vec<u64>>, StorageError> {
        let bounds: Vec<_> = starts.iter().copied().chain([end]).collect();
        if bounds.iter().any(|bound| bucket_of(*bound) != *bound) {
            return Ok(None);
        }
        let conn = self.roll_ups("counts").await?;
        Ok(Some(counts::by_time(conn, project.id, event, &bounds).await?))
    }

    /// The first `limit` event types by name, of those after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn types(
        &mut self,
        project: &Project,
        after: &str,
        limit: u16,
    ) -> Result<Vec<TypeSummary>, StorageError> {
        counts::types(self.roll_ups("event types").await?, project.id, after, limit).await
    }
}
