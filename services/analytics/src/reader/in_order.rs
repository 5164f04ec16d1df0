//! Events in the order in which users did things: from memory where that knows, or else one by one from the database.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::funnel::{Funnel, FunnelFold, FunnelQuery, Order};
use millrace_domain::analytics::paths::PathsFold;
use millrace_domain::analytics::posting::{self, HANDING_OVER, Posting};
use millrace_domain::analytics::query_fault::QueryFault;
use millrace_domain::analytics::sessions::SessionsFold;
use millrace_domain::rollup::{BUCKET, bucket_of};
use millrace_domain::text::EventType;
use millrace_storage::counts;
use millrace_storage::projects::Project;
use millrace_storage::user_events::{self, UserEvent};

use super::Reader;
use crate::errors::AnalyticsError;
use crate::working_memory::Room;

/// Events between looks at how much memory whatever takes them uses.
const LOOK: u64 = 1 << 14;
/// What may be taken in between.
const BETWEEN: u64 = 2 << 20;

/// Takes in events user by user.
pub trait Fold {
    /// Takes in an event.
    ///
    /// # Errors
    /// When it is one too many.
    fn take(&mut self, event: UserEvent) -> Result<(), QueryFault>;

    /// Bytes of memory, about.
    fn bytes(&self) -> usize;
}

impl Fold for SessionsFold<'_> {
    fn take(&mut self, event: UserEvent) -> Result<(), QueryFault> {
        self.push(event.user, event.at, event.event_type, event.session);
        Ok(())
    }

    fn bytes(&self) -> usize {
        Self::bytes(self)
    }
}

impl Fold for PathsFold<'_> {
    fn take(&mut self, event: UserEvent) -> Result<(), QueryFault> {
        self.push(event.user, event.at, &event.event_type)
    }

    fn bytes(&self) -> usize {
        Self::bytes(self)
    }
}

/// Room that grows with what is held in it.
struct Growing {
    room: Room,
    events: u64,
}

impl Growing {
    async fn begin(reader: &Reader, events: u64) -> Result<Self, AnalyticsError> {
        // Few of the events leave something behind.
        Ok(Self { room: reader.room(BETWEEN + events).await?, events: 0 })
    }

    async fn note(&mut self, bytes: impl FnOnce() -> usize) -> Result<(), AnalyticsError> {
        self.events += 1;
        if self.events.is_multiple_of(LOOK) {
            self.room.at_least(BETWEEN + u64::try_from(bytes()).unwrap_or(u64::MAX)).await?;
        }
        Ok(())
    }
}

impl Reader {
    /// How many events a question brings here, which is refused if these are more than may be. The counts know, up to a
    /// quarter of an hour at the edges, before one is read.
    ///
    /// # Errors
    /// [`AnalyticsError::TooManyEvents`], or when the database fails.
    pub async fn afford<'a>(
        &mut self,
        project: &Project,
        events: impl IntoIterator<Item = &'a EventSelector>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<u64, AnalyticsError> {
        let bounds = [bucket_of(instants.start), bucket_of(instants.end) + BUCKET];
        let mut types: BTreeSet<&EventSelector> = events.into_iter().collect();
        if types.contains(&EventSelector::Any) {
            types = BTreeSet::from([&EventSelector::Any]);
        }
        let mut found = 0u64;
        for event in types {
            let conn = self.roll_ups("the number of events").await?;
            found += counts::by_time(conn, project.id, event, &bounds).await?.iter().sum::<u64>();
        }
        let most = self.limits.events;
        if found > most { Err(AnalyticsError::TooManyEvents { found, most }) } else { Ok(found) }
    }

    /// How far users got, who began within `instants`.
    ///
    /// # Errors
    /// When there are too many events, or the database fails.
    pub async fn funnel(
        &mut self,
        project: &Project,
        query: &FunnelQuery,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Funnel, AnalyticsError> {
        let reach = instants.start..instants.end.checked_add_signed(query.window).unwrap_or(instants.end);
        let any = EventSelector::Any;
        let events = match query.order {
            Order::Strict => self.afford(project, [&any], &reach).await?,
            Order::Ordered | Order::Loose => {
                let all = query.steps.iter().chain(&query.exclusions);
                self.afford(project, all.map(|selection| &selection.event), &reach).await?
            }
        };
        let end = instants.end.timestamp_micros();
        if let Some((marks, audience)) = query.marks_by_type()
            && let Some(fold) =
                self.fold_in_memory(project, (query, end), &marks, &audience, &reach, events).await?
        {
            return Ok(fold.finish());
        }
        if let Some((marks, audience)) = query.marks_by_type()
            && let Some(fold) = self.fold_in_slices(project, (query, end), &marks, &audience, &reach).await?
        {
            return Ok(fold.finish());
        }
        let mut fold = FunnelFold::new(query, end);
        let mut room = Growing::begin(self, events).await?;
        let conn = self.events("the events of the steps").await?;
        let mut rows = std::pin::pin!(user_events::of_funnel(conn, project.id, query, instants).await?);
        while let Some((user, moment, value)) = rows.try_next().await? {
            fold.push(user, moment, value.as_deref());
            room.note(|| fold.bytes()).await?;
        }
        Ok(fold.finish())
    }

    /// A funnel for which types and users are all that matters, from memory as far as that goes. Nothing where there are more
    /// events than memory has room for.
    async fn fold_in_memory<'q>(
        &mut self,
        project: &Project,
        (query, end): (&'q FunnelQuery, i64),
        marks: &BTreeMap<&EventType, u32>,
        audience: &Audience,
        reach: &Range<DateTime<Utc>>,
        events: u64,
    ) -> Result<Option<FunnelFold<'q>>, AnalyticsError> {
        let types: Vec<&EventType> = marks.keys().copied().collect();
        let Some(kept) = self.postings(project, &types, None, reach).await? else { return Ok(None) };
        let handing_over = u64::try_from(HANDING_OVER).unwrap_or(u64::MAX).min(events.saturating_mul(20));
        let users = u64::from(project.users).min(events);
        self.keep_room(handing_over + FunnelFold::new(query, end).bytes_of(users)).await?;
        let of_types = marks.values().zip(&kept);
        let parts = of_types.flat_map(|(marks, days)| days.iter().map(move |day| (*marks, day)));
        let parts: Vec<(u32, &Posting)> = parts
            .flat_map(|(marks, day)| day.by_value.iter().map(move |(_, posting)| (marks, posting)))
            .collect();
        let (from, to) = (reach.start.timestamp_micros(), reach.end.timestamp_micros());
        let mut folds = folds(query, end);
        posting::fold_users(&mut folds, &parts, &(0..u32::MAX), &(from..to), |fold, user, moment| {
            if audience.has(user) {
                fold.push(user, moment, None);
            }
        });
        Ok(all(folds))
    }

    /// Hands over the selected events within `instants`, user by user. Returns the room that what was made of them is in.
    ///
    /// # Errors
    /// When there are too many events, there is no room, the database fails, or `fold` does.
    pub async fn user_by_user(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
        fold: &mut impl Fold,
    ) -> Result<Room, AnalyticsError> {
        let found = self.afford(project, [&events.event], instants).await?;
        let mut room = Growing::begin(self, found).await?;
        let conn = self.events("the events, user by user").await?;
        let mut rows = std::pin::pin!(user_events::of_everybody(conn, project.id, events, instants).await?);
        while let Some(event) = rows.try_next().await? {
            fold.take(event)?;
            room.note(|| fold.bytes()).await?;
        }
        Ok(room.room)
    }
}

/// A fold for each thread.
pub(super) fn folds(query: &FunnelQuery, end: i64) -> Vec<FunnelFold<'_>> {
    (0..posting::threads()).map(|_| FunnelFold::new(query, end)).collect()
}

/// What all threads have folded.
pub(super) fn all<'q>(folds: Vec<FunnelFold<'q>>) -> Option<FunnelFold<'q>> {
    folds.into_iter().reduce(|mut all, fold| {
        all.absorb(fold);
        all
    })
}
