//! Who did what when, from memory as far as that goes, or else as it is stored, or else from the events.

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_storage::error::StorageError;
use millrace_storage::postings::stored::{self, Day};
use millrace_storage::postings::{self, By, ByValue, Edition};
use millrace_storage::projects::Project;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Reader;
use crate::errors::AnalyticsError;
use crate::plan::Source;
use crate::postings::{Kept, Key, Postings, PostingsRoom, days};

/// Bytes that an event takes on its way here, as it comes and as it is put in order.
const ARRIVING: u64 = 56;

/// Events that are worth a second connection.
const WORTH_TWO: u64 = 100_000;

/// A day of a type.
struct Wanted {
    key: Key,
    edition: Edition,
    found: Found,
}

/// Its postings, or room for them.
enum Found {
    Kept(Arc<Kept>),
    Missing(PostingsRoom),
}

impl Wanted {
    fn is_missing(&self) -> bool {
        matches!(self.found, Found::Missing(_))
    }

    /// Keeps what was found in the room that was taken for it.
    fn fill(&mut self, postings: &Postings, by_value: ByValue) {
        let room = match &mut self.found {
            Found::Kept(_) => return,
            Found::Missing(room) => std::mem::take(room),
        };
        self.found = Found::Kept(postings.put(self.key.clone(), self.edition, by_value, room));
    }
}

impl Reader {
    /// The postings of `types` on the days (UTC) that share a moment with `instants`, by type and day: `by` the values of a
    /// property if one is given. Nothing where memory has no room for them, or there are too many values.
    ///
    /// # Errors
    /// When the database fails, or there is no room.
    pub async fn postings(
        &mut self,
        project: &Project,
        types: &[&EventType],
        by: Option<&By>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Option<Vec<Vec<Arc<Kept>>>>, AnalyticsError> {
        let starts = days(instants.start, instants.end);
        let conn = self.roll_ups("editions of days").await?;
        let editions = postings::editions(conn, project, types, &starts).await?;
        if !self.memory.postings.have_room_for(editions.iter().flatten().map(|edition| edition.events).sum())
        {
            return Ok(None);
        }
        let mut wanted: Vec<Vec<Wanted>> = Vec::new();
        for (event_type, editions) in types.iter().zip(editions) {
            let mut of_type = Vec::new();
            for (start, edition) in starts.iter().zip(editions).filter(|(_, edition)| edition.events > 0) {
                let key = (project.id, (*event_type).clone(), by.cloned(), *start);
                let found = match self.memory.postings.get(&key, edition) {
                    Some(kept) => Found::Kept(kept),
                    None => match self.memory.postings.room(edition.events, by.is_some()) {
                        Some(room) => Found::Missing(room),
                        None => return Ok(None),
                    },
                };
                of_type.push(Wanted { key, edition, found });
            }
            wanted.push(of_type);
        }
        if by.is_none() {
            self.find_stored(project, &mut wanted).await?;
        }
        for of_type in &mut wanted {
            if !self.find_in_events(project, by, of_type).await? {
                return Ok(None);
            }
        }
        self.source = Source::Raw;
        self.begin("events in memory", Source::Raw).await?;
        let kept = |day: Wanted| match day.found {
            Found::Kept(kept) => Some(kept),
            Found::Missing(_) => None,
        };
        Ok(Some(wanted.into_iter().map(|of_type| of_type.into_iter().filter_map(kept).collect()).collect()))
    }

    /// Finds those that are stored as they are.
    async fn find_stored(
        &mut self,
        project: &Project,
        wanted: &mut [Vec<Wanted>],
    ) -> Result<(), AnalyticsError> {
        let mut missing: Vec<_> = wanted.iter_mut().flatten().filter(|day| day.is_missing()).collect();
        let asked = missing.iter().map(|day| {
            let (_, event_type, _, start) = &day.key;
            Day { event_type: event_type.clone(), start: *start, edition: day.edition }
        });
        let asked: Vec<Day> = asked.collect();
        if asked.is_empty() {
            return Ok(());
        }
        let conn = self.begin("stored postings", Source::Raw).await?;
        let found = stored::load(conn, project.id, &asked).await?;
        for (day, parts) in missing.iter_mut().zip(found).filter(|(_, parts)| !parts.is_empty()) {
            day.fill(&self.memory.postings, parts.into_iter().map(|part| (None, part)).collect());
        }
        Ok(())
    }

    /// Finds the others in the events. `false`: there are too many values.
    async fn find_in_events(
        &mut self,
        project: &Project,
        by: Option<&By>,
        of_type: &mut [Wanted],
    ) -> Result<bool, AnalyticsError> {
        // Days that are missing in a row are read at once.
        for run in of_type.chunk_by_mut(|one, next| one.is_missing() && next.is_missing()) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            if !first.is_missing() {
                continue;
            }
            // A day on each of two connections.
            let largest = run.iter().map(|day| day.edition.events).max().unwrap_or(0);
            let _arriving = self.room(largest.saturating_mul(2 * ARRIVING)).await?;
            let ((_, event_type, _, start), (.., end)) = (&first.key, &last.key);
            let bounds = days(*start, *end + TimeDelta::days(1));
            let middle = middle(run).and_then(|day| bounds.iter().position(|start| *start == day));
            let loaded = self.load(project.id, event_type, by, &bounds, middle).await?;
            let Some(loaded) = loaded else { return Ok(false) };
            for (start, by_value) in bounds.iter().zip(loaded) {
                if let Some(day) = run.iter_mut().find(|day| day.key.3 == *start) {
                    day.fill(&self.memory.postings, by_value);
                }
            }
        }
        Ok(true)
    }

    /// Reads postings from the events: those after the `middle` of the days, where there is one, on another connection, if
    /// there is one to spare.
    async fn load(
        &mut self,
        project: ProjectId,
        event_type: &EventType,
        by: Option<&By>,
        bounds: &[DateTime<Utc>],
        middle: Option<usize>,
    ) -> Result<Option<Vec<ByValue>>, AnalyticsError> {
        let halves = middle.and_then(|middle| Some((bounds.get(..=middle)?, bounds.get(middle..)?)));
        let spare = match halves {
            Some(_) => self.database.spare_connection().await,
            None => None,
        };
        let conn = self.events("the users and times of events").await?;
        let (Some((early, late)), Some(spare)) = (halves, spare) else {
            return Ok(postings::load(conn, project, event_type, by, bounds).await?);
        };
        let mut other = conn.share(spare).await?;
        // A task of its own: both have most to do when the server has read everything, at the same time.
        let (of, with, bounds) = (event_type.clone(), by.cloned(), late.to_vec());
        let late = async move {
            let late = postings::load(&mut other, project, &of, with.as_ref(), &bounds).await;
            other.close().await?;
            late
        };
        let late = AbortOnDropHandle::new(tokio::spawn(late.in_current_span()));
        let early = postings::load(conn, project, event_type, by, early).await;
        let late = late.await.unwrap_or_else(|error| Err(StorageError::Failed(error.to_string())));
        Ok(early?.zip(late?).map(|(mut all, late)| {
            all.extend(late);
            all
        }))
    }
}

/// The day before which there are about as many events as after; nothing where there are so few that one connection does
/// it as soon.
fn middle(days: &[Wanted]) -> Option<DateTime<Utc>> {
    let events: u64 = days.iter().map(|day| day.edition.events).sum();
    let mut before = 0;
    let mut after = days.iter().skip_while(|day| {
        before += day.edition.events;
        2 * before <= events
    });
    let middle = after.next().filter(|_| events >= WORTH_TWO)?.key.3;
    (days.first()?.key.3 < middle).then_some(middle)
}
