//! The values of a breakdown that are told apart.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::trends::Breakdown;
use millrace_storage::projects::Project;
use millrace_storage::trends;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// The values of a breakdown that are told apart. Without a breakdown there is one, which stands for everything.
#[derive(Default)]
pub(super) struct Values {
    pub(super) told_apart: Vec<Option<String>>,
    broken_down: bool,
    more: bool,
}

impl Values {
    /// The values with the most events.
    pub(super) async fn most_frequent(
        reader: &mut Reader,
        project: &Project,
        events: &[&Selection],
        instants: &Range<DateTime<Utc>>,
        breakdown: &Breakdown,
    ) -> Result<Self, AnalyticsError> {
        let conn = reader.events("the most frequent values").await?;
        let (told_apart, more) = trends::values(conn, project.id, events, instants, breakdown).await?;
        Ok(Self { told_apart, broken_down: true, more })
    }

    /// The first of them by their events, then by name.
    pub(super) fn ranked(events: BTreeMap<Option<String>, u64>, breakdown: &Breakdown) -> Self {
        let mut ranked: Vec<(Option<String>, u64)> = events.into_iter().collect();
        ranked.sort_by(|(a, more), (b, less)| (Reverse(more), a).cmp(&(Reverse(less), b)));
        let most = usize::from(breakdown.values);
        let more = ranked.len() > most;
        let told_apart = ranked.into_iter().take(most).map(|(value, _)| value).collect();
        Self { told_apart, broken_down: true, more }
    }

    /// How many groups of events there are: the values, and all others together.
    pub(super) fn groups(&self) -> usize {
        if self.broken_down { self.told_apart.len() + usize::from(self.more) } else { 1 }
    }

    pub(super) fn label(&self, group: usize) -> Option<String> {
        self.told_apart.get(group).cloned().flatten()
    }

    pub(super) fn is_rest(&self, group: usize) -> bool {
        self.broken_down && group >= self.told_apart.len()
    }
}
