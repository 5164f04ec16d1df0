//! What a question reads: one moment of the database, through the roll-ups as far as they reach.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_storage::counts::TypeSummary;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::projects::Project;
use millrace_storage::snapshot::Snapshot;
use millrace_storage::{activity, counts, projects, raw};
use roaring::RoaringBitmap;

use crate::errors::AnalyticsError;
use crate::plan::{self, Source};

/// A question that has taken no longer may go on as if it had just begun.
const NEGLIGIBLE: Duration = Duration::from_millis(250);

/// A project's data as of one moment. It notes what it was read from.
#[derive(Debug)]
pub struct Reader {
    snapshot: Snapshot,
    now: DateTime<Utc>,
    opened: Instant,
    patience: Duration,
    source: Source,
}

impl Reader {
    /// Looks at the database as it is, at a time that is taken to be `now`. All reads together may take as long as
    /// `patience`, which is also the connection's `statement_timeout`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        connection: Connection,
        now: DateTime<Utc>,
        patience: Duration,
    ) -> Result<Self, StorageError> {
        let snapshot = Snapshot::open(connection).await?;
        Ok(Self { snapshot, now, opened: Instant::now(), patience, source: Source::default() })
    }

    /// Gives the connection back and says what was read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(self) -> Result<Source, StorageError> {
        self.snapshot.close().await?;
        Ok(self.source)
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
        projects::find(self.in_time().await?, id).await?.ok_or(AnalyticsError::NoProject)
    }

    /// Who was active on the days of `zone` within `instants`: one set for each `interval` with any, on its first date.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activity(
        &mut self,
        project: &Project,
        selector: &EventSelector,
        instants: &Range<DateTime<Utc>>,
        zone: TimeZone,
        interval: Interval,
    ) -> Result<Activity, StorageError> {
        let parted = plan::days(project.timezone, zone, instants);
        let mut found = match parted.held {
            Some(days) => activity::load(self.in_time().await?, project.id, selector, days, interval).await?,
            None => Activity::default(),
        };
        for rest in &parted.rest {
            found.extend(
                raw::activity(self.events().await?, project.id, selector, rest, zone, interval).await?,
            );
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
        selector: &EventSelector,
        end: DateTime<Utc>,
    ) -> Result<RoaringBitmap, StorageError> {
        let parted = plan::history(project.timezone, end);
        let mut seen = RoaringBitmap::new();
        if let Some(day) = parted.held {
            seen |= activity::users_before(self.in_time().await?, project.id, selector, day).await?;
        }
        for rest in &parted.rest {
            seen |= raw::users(self.events().await?, project.id, selector, rest).await?;
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
        instants: &Range<DateTime<Utc>>,
        limit: u16,
    ) -> Result<BTreeMap<EventType, u64>, StorageError> {
        let parted = plan::counts(instants);
        // What is rare in the middle may be frequent at the edges.
        let limit = parted.rest.is_empty().then_some(limit);
        let mut found = BTreeMap::new();
        if let Some(buckets) = &parted.held {
            found.extend(counts::by_type(self.in_time().await?, project.id, buckets, limit).await?);
        }
        for rest in &parted.rest {
            for (event_type, count) in raw::counts(self.events().await?, project.id, rest).await? {
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
        instants: &Range<DateTime<Utc>>,
    ) -> Result<Vec<u64>, StorageError> {
        let parted = plan::users(project.timezone, instants);
        let mut sets = match parted.held {
            Some(days) => activity::users_by_type(self.in_time().await?, project.id, types, days).await?,
            None => BTreeMap::new(),
        };
        let mut users = Vec::new();
        for event_type in types {
            let mut set = sets.remove(event_type.as_str()).unwrap_or_default();
            let selector = EventSelector::Type(event_type.clone());
            for rest in &parted.rest {
                set |= raw::users(self.events().await?, project.id, &selector, rest).await?;
            }
            users.push(set.len());
        }
        Ok(users)
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
        counts::types(self.in_time().await?, project.id, after, limit).await
    }

    /// For a statement that reads the events.
    async fn events(&mut self) -> Result<&mut Snapshot, StorageError> {
        self.source = Source::Raw;
        self.in_time().await
    }

    /// For any other statement. Gives it what is left of the time.
    async fn in_time(&mut self) -> Result<&mut Snapshot, StorageError> {
        let spent = self.opened.elapsed();
        if spent > NEGLIGIBLE {
            self.snapshot.limit(self.patience.saturating_sub(spent)).await?;
        }
        Ok(&mut self.snapshot)
    }
}
