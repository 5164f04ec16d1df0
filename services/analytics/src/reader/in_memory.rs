//! Who did what when, from memory as far as that goes, or else as it is stored, or else from the events.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::text::{EventType, PropertyName};
use millrace_storage::error::StorageError;
use millrace_storage::postings::stored::{self, Day};
use millrace_storage::postings::{self, Edition};
use millrace_storage::projects::Project;

use super::Reader;
use crate::plan::Source;
use crate::postings::{Kept, Key, days};

/// A day of a type with its postings, once they are found.
struct Wanted<'a> {
    event_type: &'a EventType,
    start: DateTime<Utc>,
    edition: Edition,
    kept: Option<Arc<Kept>>,
}

impl Reader {
    /// The postings of `types` on the days (UTC) that share a moment with `instants`, by type and day: by the values of a
    /// property if one is given. Nothing where memory has no room for them, or there are too many values.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn postings(
        &mut self,
        project: &Project,
        types: &[&EventType],
        property: Option<&PropertyName>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Option<Vec<Vec<Arc<Kept>>>>, StorageError> {
        let starts = days(instants.start, instants.end);
        let conn = self.roll_ups("editions of days").await?;
        let editions = postings::editions(conn, project.id, types, &starts).await?;
        if !self.memory.postings.have_room_for(editions.iter().flatten().map(|edition| edition.events).sum())
        {
            return Ok(None);
        }
        let mut wanted: Vec<Vec<Wanted<'_>>> = Vec::new();
        for (event_type, editions) in types.iter().zip(&editions) {
            let days = starts.iter().zip(editions).filter(|(_, edition)| edition.events > 0);
            let mut of_type = Vec::new();
            for (start, edition) in days {
                let key = key(project, event_type, property, *start);
                let kept = self.memory.postings.get(&key, *edition).await;
                of_type.push(Wanted { event_type, start: *start, edition: *edition, kept });
            }
            wanted.push(of_type);
        }
        if property.is_none() {
            self.find_stored(project, &mut wanted).await?;
        }
        for of_type in &mut wanted {
            if !self.find_in_events(project, property, of_type).await? {
                return Ok(None);
            }
        }
        self.source = Source::Raw;
        self.begin("events in memory", Source::Raw).await?;
        let found = |of_type: Vec<Wanted<'_>>| of_type.into_iter().filter_map(|day| day.kept).collect();
        Ok(Some(wanted.into_iter().map(found).collect()))
    }

    /// Finds those that are stored as they are.
    async fn find_stored(
        &mut self,
        project: &Project,
        wanted: &mut [Vec<Wanted<'_>>],
    ) -> Result<(), StorageError> {
        let mut missing: Vec<_> = wanted.iter_mut().flatten().filter(|day| day.kept.is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let asked = |day: &&mut Wanted<'_>| Day {
            event_type: day.event_type.clone(),
            start: day.start,
            edition: day.edition,
        };
        let asked: Vec<Day> = missing.iter().map(asked).collect();
        let conn = self.begin("stored postings", Source::Raw).await?;
        let found = stored::load(conn, project.id, &asked).await?;
        for (day, parts) in missing.iter_mut().zip(found).filter(|(_, parts)| !parts.is_empty()) {
            let key = key(project, day.event_type, None, day.start);
            let by_value = parts.into_iter().map(|part| (None, part)).collect();
            day.kept = Some(self.memory.postings.put(key, day.edition, by_value).await);
        }
        Ok(())
    }

    /// Finds the others in the events. `false`: there are too many values.
    async fn find_in_events(
        &mut self,
        project: &Project,
        property: Option<&PropertyName>,
        of_type: &mut [Wanted<'_>],
    ) -> Result<bool, StorageError> {
        // Days that are missing in a row are read at once.
        for run in of_type.chunk_by_mut(|one, next| one.kept.is_none() && next.kept.is_none()) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if first.kept.is_some() {
                continue;
            }
            let event_type = first.event_type;
            let bounds = days(first.start, last.start + DAY);
            let conn = self.events("the users and times of events").await?;
            let loaded = postings::load(conn, project.id, event_type, property, &bounds).await?;
            let Some(loaded) = loaded else { return Ok(false) };
            for (start, by_value) in bounds.iter().zip(loaded) {
                if let Some(day) = run.iter_mut().find(|day| day.start == *start) {
                    let key = key(project, event_type, property, *start);
                    day.kept = Some(self.memory.postings.put(key, day.edition, by_value).await);
                }
            }
        }
        Ok(true)
    }
}

const DAY: chrono::TimeDelta = chrono::TimeDelta::days(1);

fn key(
    project: &Project,
    event_type: &EventType,
    property: Option<&PropertyName>,
    day: DateTime<Utc>,
) -> Key {
    (project.id, event_type.clone(), property.cloned(), day)
}
