//! What a question reads: one moment of the database, through the roll-ups as far as they reach.

use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::ProjectId;
use millrace_storage::database::{Connection, Database};
use millrace_storage::error::StorageError;
use millrace_storage::projects::{self, Project};
use millrace_storage::snapshot::Snapshot;

use crate::errors::AnalyticsError;
use crate::kept_sets::KeptSets;
use crate::plan::Source;
use crate::postings::Postings;
use crate::working_memory::{Room, WorkingMemory};

mod active;
mod cohorts;
mod counted;
mod in_memory;
mod in_order;
mod in_slices;
mod unions;

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

/// What was read for other questions.
#[derive(Clone, Debug)]
pub struct Memory {
    /// Who did what when.
    pub postings: Postings,
    /// Who was active on which days.
    pub sets: KeptSets,
    /// Room for what this question reads.
    pub work: WorkingMemory,
}

/// A project's data as of one moment. It notes what it was read from.
#[derive(Debug)]
pub struct Reader {
    snapshot: Snapshot,
    database: Database,
    now: DateTime<Utc>,
    opened: Instant,
    limits: Limits,
    memory: Memory,
    source: Source,
    parts: Vec<Part>,
    reading: Option<(&'static str, Source, Instant)>,
    /// Room that is taken until the question is answered.
    rooms: Vec<Room>,
}

impl Reader {
    /// Looks at the database as it is, at a time that is taken to be `now`. There may be connections to spare for what
    /// takes long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(
        connection: Connection,
        database: Database,
        now: DateTime<Utc>,
        limits: Limits,
        memory: Memory,
    ) -> Result<Self, StorageError> {
        let snapshot = Snapshot::open(connection).await?;
        Ok(Self {
            snapshot,
            database,
            now,
            opened: Instant::now(),
            limits,
            memory,
            source: Source::default(),
            parts: Vec::new(),
            reading: None,
            rooms: Vec::new(),
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

    /// Room for so many bytes, which whoever asks is about to read.
    ///
    /// # Errors
    /// When there is too little.
    pub async fn room(&self, bytes: u64) -> Result<Room, AnalyticsError> {
        self.memory.work.room(bytes).await
    }

    /// What a question may take that does with less as well.
    #[must_use]
    pub fn quarter_of_memory(&self) -> u64 {
        self.memory.work.bytes() / 4
    }

    /// Room for so many bytes until the question is answered.
    ///
    /// # Errors
    /// When there is too little.
    pub async fn keep_room(&mut self, bytes: u64) -> Result<(), AnalyticsError> {
        let room = self.room(bytes).await?;
        self.rooms.push(room);
        Ok(())
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
