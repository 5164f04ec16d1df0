//! Who did what when, from memory as far as that goes.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_domain::text::{EventType, PropertyName};
use millrace_storage::postings::{self, Edition};
use millrace_storage::projects::Project;

use super::Reader;
use crate::errors::AnalyticsError;
use crate::plan::Source;
use crate::postings::{Kept, days};

impl Reader {
    /// The postings of `types` on the days (UTC) that share a moment with `instants`, by type and day: by the values of a
    /// property if one is given. Nothing where memory has no room for them, or there are too many values.
    ///
    /// # Errors
    /// When the database fails, or there is no room.
    pub async fn postings(
        &mut self,
        project: &Project,
        types: &[&EventType],
        property: Option<&PropertyName>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Option<Vec<Vec<Arc<Kept>>>>, AnalyticsError> {
        let starts = days(instants.start, instants.end);
        let conn = self.roll_ups("editions of days").await?;
        let editions = postings::editions(conn, project, types, &starts).await?;
        if !self.memory.postings.have_room_for(editions.iter().flatten().map(|edition| edition.events).sum())
        {
            return Ok(None);
        }
        let mut found = Vec::new();
        for (event_type, editions) in types.iter().zip(&editions) {
            match self.postings_of(project, event_type, property, &starts, editions).await? {
                Some(days) => found.push(days),
                None => return Ok(None),
            }
        }
        self.source = Source::Raw;
        self.begin("events in memory", Source::Raw).await?;
        Ok(Some(found))
    }

    async fn postings_of(
        &mut self,
        project: &Project,
        event_type: &EventType,
        property: Option<&PropertyName>,
        starts: &[DateTime<Utc>],
        editions: &[Edition],
    ) -> Result<Option<Vec<Arc<Kept>>>, AnalyticsError> {
        let key = |day: DateTime<Utc>| (project.id, event_type.clone(), property.cloned(), day);
        let mut found = Vec::new();
        // Days that are missing in a row are read at once.
        let mut missing: Vec<(DateTime<Utc>, Edition)> = Vec::new();
        for (day, edition) in starts.iter().zip(editions.iter().copied().map(Some).chain([None])) {
            if let Some(edition) = edition.filter(|edition| edition.events > 0) {
                match self.memory.postings.get(&key(*day), edition) {
                    Some(kept) => found.push(kept),
                    None => {
                        missing.push((*day, edition));
                        continue;
                    }
                }
            }
            if !missing.is_empty() {
                let bounds: Vec<_> = missing.iter().map(|(day, _)| *day).chain([*day]).collect();
                let room = |(_, edition): &(_, Edition)| {
                    self.memory.postings.room(edition.events, property.is_some())
                };
                let Some(rooms) = missing.iter().map(room).collect::<Option<Vec<_>>>() else {
                    return Ok(None);
                };
                // A day is here twice for a moment: as it comes, and as it is kept.
                let largest = missing.iter().map(|(_, edition)| edition.events).max().unwrap_or(0);
                let _arriving = self.room(largest.saturating_mul(36)).await?;
                let conn = self.events("the users and times of events").await?;
                let loaded = postings::load(conn, project.id, event_type, property, &bounds).await?;
                let Some(loaded) = loaded else { return Ok(None) };
                for (((day, edition), by_value), room) in missing.drain(..).zip(loaded).zip(rooms) {
                    found.push(self.memory.postings.put(key(day), edition, by_value, room));
                }
            }
        }
        Ok(Some(found))
    }
}
