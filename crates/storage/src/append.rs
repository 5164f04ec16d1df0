//! The append of events: one bulk statement ([`writing`]), the roll-ups of what it really inserted ([`counting`]), one
//! commit.
//!
//! This is the one place that speaks to PostgreSQL without diesel. It needs statements that stay prepared, `jsonb`
//! passed on as the text it arrived as, and the SQLSTATE of a refusal; diesel hides all three. A worker's pipeline
//! owns its connection, so there is no pool either.

mod copy;
mod counting;
mod numbers;
mod session;
mod statements;
mod turns;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;

use crate::erasure;
use crate::error::StorageError;
use session::Session;
use writing::{Way, key};

/// An event with what only its batch knows.
#[derive(Clone, Copy, Debug)]
pub struct NewEvent<'a> {
    /// The tenant.
    pub project_id: ProjectId,
    /// The sequence of the JetStream message that brought it.
    pub stream_seq: u64,
    /// When its request was received.
    pub received_at: DateTime<Utc>,
    /// The event.
    pub event: &'a Event,
}

/// An event that can never be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place among those that were to be stored.
    pub place: usize,
    /// The database's words.
    pub words: String,
}

/// What an append changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that were new, by the sequence of the message that brought them.
    pub by_message: BTreeMap<u64, u64>,
    /// Rows that were new, by event type.
    pub by_type: BTreeMap<EventType, u64>,
    /// Events that were stored before, here or earlier in the same append.
    pub duplicates: u64,
    /// Events that the database does not take. They changed nothing.
    pub refused: Vec<Refusal>,
}

impl Appended {
    /// Takes in what another append changed.
    pub fn add(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.refused.extend(other.refused);
        for (seq, rows) in other.by_message {
            *self.by_message.entry(seq).or_default() += rows;
        }
        for (event_type, rows) in other.by_type {
            *self.by_type.entry(event_type).or_default() += rows;
        }
    }
}

/// After a repetition was met, as many appends in a row have to be without one before the next expects none. A copy
/// that fails has written its rows in vain: in the worst case, repetitions that come just as seldom, one append in as
/// many writes twice.
const WARY_APPENDS: u8 = 16;

/// How long an append waits for a turn before it leaves its session to somebody else.
const TURN_PATIENCE: Duration = Duration::from_secs(5);

/// A connection that appends events, made when it is first needed and again after it broke.
#[derive(Debug)]
pub struct Appender {
    url: String,
    statement_timeout: Duration,
    /// How many append at the same time, whoever they are; `None`: whoever likes.
    slots: Option<u16>,
    session: Option<Session>,
    /// Appends that are yet to expect repetitions.
    wary: u8,
    /// Whether it notes who was active.
    keeps_sets: bool,
}

impl Appender {
    /// An appender that connects on its first append.
    #[must_use]
    pub fn new(url: impl Into<String>, statement_timeout: Duration) -> Self {
        Self { url: url.into(), statement_timeout, slots: None, session: None, wary: 0, keeps_sets: true }
    }

    /// The same, taking turns: only so many append to the database at the same time, all workers together.
    #[must_use]
    pub fn taking_turns(self, slots: u16) -> Self {
        Self { slots: Some(slots), ..self }
    }

    /// Takes a turn for the next append, which ends with that append. `false` when all are taken.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database is away.
    pub async fn take_turn(&mut self) -> Result<bool, StorageError> {
        let Some(slots) = self.slots else { return Ok(true) };
        let mut session = self.open().await?;
        let taken = session.take_turn(slots).await?;
        self.session = Some(session);
        Ok(taken)
    }

    /// Leaves the turn to somebody else.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when the database is away: the turn is gone with the connection.
    pub async fn end_turn(&mut self) -> Result<(), StorageError> {
        if let Some(mut session) = self.session.take() {
            session.end_turn().await?;
            self.session = Some(session);
        }
        Ok(())
    }

    /// One that leaves out who was active, to measure what that costs. Nothing but a benchmark may use it: sets that are
    /// not kept are wrong until they are rebuilt.
    #[must_use]
    pub fn without_sets(self) -> Self {
        Self { keeps_sets: false, ..self }
    }

    /// Stores the events that are not stored yet and counts exactly those, durably: when this returns, the commit is
    /// on disk. Those that the database does not take are named. Appending the same events again changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when it may succeed later, [`StorageError::UnknownProject`] and
    /// [`StorageError::UnusableProject`] when it will for the others, and [`StorageError::Refused`] when some event among
    /// these can never be stored and the database does not say which. Nothing is stored in any of these cases.
    pub async fn append(&mut self, events: &[NewEvent<'_>]) -> Result<Appended, StorageError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        let mut session = self.open().await?;
        if let Some(slots) = self.slots {
            session.await_turn(slots, TURN_PATIENCE).await?;
        }
        // After the turn: whoever deletes a user waits for those who hold numbers, and must not wait for a queue.
        let outcome = match erasure::hold_numbers(&session.client).await {
            Ok(()) => {
                let outcome = self.append_through(&mut session, events).await;
                erasure::release_numbers(&session.client).await.and(outcome)
            }
            Err(error) => Err(error),
        };
        if !matches!(outcome, Err(StorageError::Unavailable(_))) {
            session.end_turn().await?;
            self.session = Some(session);
        }
        outcome
    }

    /// The session, or a new one. Taken out, so that an append that is dropped half-way leaves none in an unknown state
    /// behind.
    async fn open(&mut self) -> Result<Session, StorageError> {
        match self.session.take() {
            Some(session) if session.is_open() => Ok(session),
            _ => Session::connect(&self.url, self.statement_timeout).await,
        }
    }

    async fn append_through(
        &mut self,
        session: &mut Session,
        events: &[NewEvent<'_>],
    ) -> Result<Appended, StorageError> {
        let mut rows: Vec<(usize, NewEvent<'_>)> = events.iter().copied().enumerate().collect();
        // The same order for every worker: two that insert the same keys cannot wait for each other, and neighbours in
        // time go to the same chunk. Of a key that came twice the earlier message gets the credit.
        rows.sort_unstable_by_key(|(_, new)| (key(new), new.stream_seq));
        rows.dedup_by_key(|(_, new)| key(new));
        let rows = numbers::resolve(&mut session.client, &session.statements, rows).await?;

        let way = if self.wary == 0 { Way::Copy } else { Way::InsertNew };
        let mut appended = writing::store(session, &rows, way, self.keeps_sets).await?;
        let stored: u64 = appended.by_message.values().sum();
        let told = stored + appended.refused.len() as u64;
        appended.duplicates = u64::try_from(events.len()).unwrap_or(u64::MAX).saturating_sub(told);
        self.wary = if told < rows.len() as u64 { WARY_APPENDS } else { self.wary.saturating_sub(1) };
        Ok(appended)
    }
}
