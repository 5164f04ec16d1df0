//! What a question reads: one moment of the database, through the roll-ups as far as they reach.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_domain::rollup::bucket_of;
use millrace_domain::text::EventType;
use millrace_storage::counts::TypeSummary;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::snapshot::Snapshot;
use millrace_storage::{activity, counts, projects, raw};
use roaring::RoaringBitmap;

use crate::errors::AnalyticsError;
use crate::plan::{self, Parted, Source};
use crate::postings::Postings;

mod in_memory;
mod in_order;

/// A question that has taken no longer may go on as if it had just begun.
const NEGLIGIBLE: Duration = Duration::from_millis(250);

/// What a question may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long all reads together may take, which is also the connection's `statement_timeout`.
    pub patience: Duration,
    /// How many events may be brought here, one by one, for a question that depends on their order.
    pub events: u64,
}

/// A read: what of, from where, and how long it took.
#[derive(Clone, Debug)]
pub struct Part {
    /// What was read.
    pub what: &'static str,
    /// From where.
    pub store: Source,
    /// How long it took.
    pub took: Duration,
}

/// How an answer was come by.
#[derive(Clone, Debug)]
pub struct Account {
    /// The slowest store that was needed.
    pub source: Source,
    /// The reads, in order.
    pub parts: Vec<Part>,
}

/// A project's data as of one moment. It notes what it was read from.
#[derive(Debug)]
pub struct Reader {
    snapshot: Snapshot,
    now: DateTime<Utc>,
    opened: Instant,
    limits: Limits,
    postings: Postings,
    source: Source,
    parts: Vec<Part>,
    reading: Option<(&'static str, Source, Instant)>,
}

impl Reader {
    /// Looks at the database as it is, at a time that is taken to be `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        connection: Connection,
        now: DateTime<Utc>,
        limits: Limits,
        postings: Postings,
    ) -> Result<Self, StorageError> {
        let snapshot = Snapshot::open(connection).await?;
        Ok(Self {
            snapshot,
            now,
            opened: Instant::now(),
            limits,
            postings,
            source: Source::default(),
            parts: Vec::new(),
            reading: None,
        })
    }

    /// Gives the connection back and says what was read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(mut self) -> Result<Account, StorageError> {
        self.note();
        self.snapshot.close().await?;
        Ok(Account { source: self.source, parts: self.parts })
    }

    /// The local day of `zone` that has not ended yet.
    #[must_use]
    pub fn today(&self, zone: TimeZone) -> NaiveDate {
        zone.local_day(self.now)
    }

    /// The project asked about.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn project(&mut self, id: ProjectId) -> Result<Project, AnalyticsError> {
        projects::find(self.roll_ups("the project").await?, id).await?.ok_or(AnalyticsError::NoProject)
    }

    /// Who was active on the days of `zone` within `instants`: one set for each `interval` with any, on its first date.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activity(
        &mut self,
        project: &Project,
        events: &Selection,
        instants: &Range<DateTime<Utc>>,
        zone: TimeZone,
        interval: Interval,
    ) -> Result<Activity, StorageError> {
        let parted = match events.is_plain() {
            true => plan::days(project.timezone, zone, instants),
            false => Parted::of_events(instants),
        };
        let mut found = Activity::default();
        if let Some(days) = parted.held {
            let conn = self.roll_ups("activity sets").await?;
            found = activity::load(conn, project.id, &events.event, days, interval).await?;
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events").await?;
            found.extend(raw::activity(conn, project.id, events, rest, zone, interval).await?);
        }
        Ok(found)
    }

    /// Who was active at any time before `end`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_before(
        &mut self,
        project: &Project,
        events: &Selection,
        end: DateTime<Utc>,
    ) -> Result<RoaringBitmap, StorageError> {
        let parted = match events.is_plain() {
            true => plan::history(project.timezone, end),
            false => Parted { held: None, rest: vec![DateTime::UNIX_EPOCH..end] },
        };
        let mut seen = RoaringBitmap::new();
        if let Some(day) = parted.held {
            let conn = self.roll_ups("activity sets of the past").await?;
            seen |= activity::users_before(conn, project.id, &events.event, day).await?;
        }
        for rest in &parted.rest {
            let conn = self.events("the users of events of the past").await?;
            seen |= raw::users(conn, project.id, events, rest).await?;
        }
        Ok(seen)
    }

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

    /// How many distinct users did each of these event types within `instants`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_by_type(
        &mut self,
        project: &Project,
        types: &[EventType],
        filter: Option<&Filter>,
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Vec<u64>, StorageError> {
        let parted = match filter {
            None => plan::users(project.timezone, instants),
            Some(_) => Parted::of_events(instants),
        };
        let mut sets = BTreeMap::new();
        if let Some(days) = parted.held {
            let conn = self.roll_ups("activity sets").await?;
            sets = activity::users_by_type(conn, project.id, types, days).await?;
        }
        let mut users = Vec::new();
        for event_type in types {
            let mut set = sets.remove(event_type.as_str()).unwrap_or_default();
            let events =
                Selection { event: EventSelector::Type(event_type.clone()), filter: filter.cloned() };
            for rest in &parted.rest {
                let conn = self.events("the users of events").await?;
                set |= raw::users(conn, project.id, &events, rest).await?;
            }
            users.push(set.len());
        }
        Ok(users)
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

    /// For a read of the events.
    pub(crate) async fn events(&mut self, what: &'static str) -> Result<&mut Snapshot, StorageError> {
        self.source = Source::Raw;
        self.begin(what, Source::Raw).await
    }

    /// For any other read.
    pub(crate) async fn roll_ups(&mut self, what: &'static str) -> Result<&mut Snapshot, StorageError> {
        self.begin(what, Source::RollUp).await
    }

    /// Gives a read what is left of the time.
    async fn begin(&mut self, what: &'static str, store: Source) -> Result<&mut Snapshot, StorageError> {
        self.note();
        self.reading = Some((what, store, Instant::now()));
        let spent = self.opened.elapsed();
        if spent > NEGLIGIBLE {
            self.snapshot.limit(self.limits.patience.saturating_sub(spent)).await?;
        }
        Ok(&mut self.snapshot)
    }

    /// A read lasts until the next one begins: what is computed of it belongs to it.
    fn note(&mut self) {
        if let Some((what, store, began)) = self.reading.take() {
            self.parts.push(Part { what, store, took: began.elapsed() });
        }
    }
}
