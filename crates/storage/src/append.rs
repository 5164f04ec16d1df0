//! The append of events: one bulk statement, the roll-ups of what it really inserted, one commit.
//!
//! This is the one place that speaks to PostgreSQL without diesel. It needs statements that stay prepared, `jsonb`
//! passed on as the text it arrived as, and the SQLSTATE of a refusal; diesel hides all three. A worker's pipeline
//! owns its connection, so there is no pool either.

mod numbers;
mod session;
mod statements;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::event::Event;
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::rollup::{self, RollUps};
use millrace_domain::text::EventType;
use tokio_postgres::Transaction;
use uuid::Uuid;

use crate::erasure;
use crate::error::StorageError;
use session::Session;
use statements::Statements;

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

/// What an append changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that were new, by the sequence of the message that brought them.
    pub by_message: BTreeMap<u64, u64>,
    /// Rows that were new, by event type.
    pub by_type: BTreeMap<EventType, u64>,
    /// Events that were stored before, here or earlier in the same append.
    pub duplicates: u64,
}

impl Appended {
    /// Takes in what another append changed.
    pub fn add(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        for (seq, rows) in other.by_message {
            *self.by_message.entry(seq).or_default() += rows;
        }
        for (event_type, rows) in other.by_type {
            *self.by_type.entry(event_type).or_default() += rows;
        }
    }
}

/// A connection that appends events, made when it is first needed and again after it broke.
#[derive(Debug)]
pub struct Appender {
    url: String,
    statement_timeout: Duration,
    session: Option<Session>,
}

impl Appender {
    /// An appender that connects on its first append.
    #[must_use]
    pub fn new(url: impl Into<String>, statement_timeout: Duration) -> Self {
        Self { url: url.into(), statement_timeout, session: None }
    }

    /// Stores the events that are not stored yet and counts exactly those, durably: when this returns, the commit is
    /// on disk. Appending the same events again changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when it may succeed later, [`StorageError::UnknownProject`] and
    /// [`StorageError::Refused`] when some event among these can never be stored. Nothing is stored in either case.
    pub async fn append(&mut self, events: &[NewEvent<'_>]) -> Result<Appended, StorageError> {
        if events.is_empty() {
            return Ok(Appended::default());
        }
        // Taken out, so that an append that is dropped half-way leaves no session in an unknown state behind.
        let mut session = match self.session.take() {
            Some(session) if session.is_open() => session,
            _ => Session::connect(&self.url, self.statement_timeout).await?,
        };
        let outcome = match erasure::hold_numbers(&session.client).await {
            Ok(()) => {
                let outcome = append(&mut session, events).await;
                erasure::release_numbers(&session.client).await.and(outcome)
            }
            Err(error) => Err(error),
        };
        if !matches!(outcome, Err(StorageError::Unavailable(_))) {
            self.session = Some(session);
        }
        outcome
    }
}

async fn append(session: &mut Session, events: &[NewEvent<'_>]) -> Result<Appended, StorageError> {
    // The same order for every worker: two that insert the same keys cannot wait for each other, and neighbours in
    // time go to the same chunk. Of a key that came twice the earlier message gets the credit.
    let mut rows = events.to_vec();
    rows.sort_unstable_by_key(|new| (key(new), new.stream_seq));

    let numbers = numbers::resolve(&mut session.client, &session.statements, &rows).await?;
    let numbered: Vec<(NewEvent<'_>, UserNo)> = rows.into_iter().zip(numbers).collect();

    let transaction = session.client.transaction().await?;
    let zones = zones(&transaction, &session.statements, &numbered).await?;
    let mut inserted = insert(&transaction, &session.statements, &numbered).await?;

    let mut appended = Appended::default();
    // Removing what is found makes a key that was sent twice count once.
    let fresh = numbered.iter().filter(|(new, _)| inserted.remove(&key(new))).map(|(new, user_no)| {
        *appended.by_message.entry(new.stream_seq).or_default() += 1;
        *appended.by_type.entry(new.event.event_type.clone()).or_default() += 1;
        rollup::Row {
            project_id: new.project_id,
            event_type: &new.event.event_type,
            occurred_at: new.event.occurred_at,
            user_no: *user_no,
        }
    });
    let roll_ups = RollUps::fold(fresh, &zones).map_err(|e| StorageError::UnknownProject(e.0))?;
    let stored: u64 = appended.by_message.values().sum();
    appended.duplicates = u64::try_from(numbered.len()).unwrap_or(u64::MAX).saturating_sub(stored);

    add_activity(&transaction, &session.statements, &roll_ups).await?;
    // Last, because this is where workers wait for each other: on the row of the present quarter of an hour.
    add_counts(&transaction, &session.statements, &roll_ups).await?;
    transaction.commit().await?;
    Ok(appended)
}

type Key = (DateTime<Utc>, ProjectId, Uuid);

fn key(new: &NewEvent<'_>) -> Key {
    (new.event.occurred_at, new.project_id, new.event.event_id.0)
}

async fn zones(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rows: &[(NewEvent<'_>, UserNo)],
) -> Result<HashMap<ProjectId, TimeZone>, StorageError> {
    let projects: HashSet<Uuid> = rows.iter().map(|(new, _)| new.project_id.0).collect();
    let projects: Vec<Uuid> = projects.into_iter().collect();
    let found = transaction.query(&statements.zones, &[&projects]).await?;
    found
        .iter()
        .map(|row| {
            let zone = TimeZone::parse(row.try_get(1)?).map_err(|e| StorageError::Corrupt(e.to_string()))?;
            Ok((ProjectId(row.try_get(0)?), zone))
        })
        .collect()
}

async fn insert(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rows: &[(NewEvent<'_>, UserNo)],
) -> Result<HashSet<Key>, StorageError> {
    let columns = statements::Columns::of(rows)?;
    let returned = transaction.query(&statements.insert_events, &columns.parameters()).await?;
    returned.iter().map(|row| Ok((row.try_get(0)?, ProjectId(row.try_get(1)?), row.try_get(2)?))).collect()
}

async fn add_activity(
    transaction: &Transaction<'_>,
    statements: &Statements,
    roll_ups: &RollUps,
) -> Result<(), StorageError> {
    let (mut projects, mut types, mut days, mut sets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((project, day, event_type), users) in &roll_ups.activity {
        projects.push(project.0);
        types.push(crate::activity::column(event_type.as_ref()));
        days.push(*day);
        sets.push(crate::activity::to_bytes(users)?);
    }
    transaction.execute(&statements.add_activity, &[&projects, &types, &days, &sets]).await?;
    Ok(())
}

async fn add_counts(
    transaction: &Transaction<'_>,
    statements: &Statements,
    roll_ups: &RollUps,
) -> Result<(), StorageError> {
    let (mut projects, mut buckets, mut types, mut counts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((project, bucket, event_type), count) in &roll_ups.counts {
        projects.push(project.0);
        buckets.push(*bucket);
        types.push(event_type.as_str());
        counts.push(*count);
    }
    transaction.execute(&statements.add_counts, &[&projects, &buckets, &types, &counts]).await?;
    Ok(())
}
