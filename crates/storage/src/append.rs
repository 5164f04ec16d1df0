//! The append of events: one bulk statement, the roll-ups of what it really inserted, one commit.
//!
//! Events that come a second time are rare, so the bulk statement is a `COPY` into `events`: the fastest way in, and
//! refused as a whole by the unique index when one of the rows is stored already. Then, and for some appends after
//! that, the rows go by way of a temporary table and `INSERT … ON CONFLICT DO NOTHING`, which says which were new.
//!
//! This is the one place that speaks to PostgreSQL without diesel. It needs statements that stay prepared, `jsonb`
//! passed on as the text it arrived as, and the SQLSTATE of a refusal; diesel hides all three. A worker's pipeline
//! owns its connection, so there is no pool either.

mod copy;
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
use tokio_postgres::error::SqlState;
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

/// After a repetition was met, as many appends in a row have to be without one before the next expects none. A copy
/// that fails has written its rows in vain: in the worst case, repetitions that come just as seldom, one append in as
/// many writes twice.
const WARY_APPENDS: u8 = 16;

/// A connection that appends events, made when it is first needed and again after it broke.
#[derive(Debug)]
pub struct Appender {
    url: String,
    statement_timeout: Duration,
    session: Option<Session>,
    /// Appends that are yet to expect repetitions.
    wary: u8,
}

impl Appender {
    /// An appender that connects on its first append.
    #[must_use]
    pub fn new(url: impl Into<String>, statement_timeout: Duration) -> Self {
        Self { url: url.into(), statement_timeout, session: None, wary: 0 }
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
                let outcome = self.append_through(&mut session, events).await;
                erasure::release_numbers(&session.client).await.and(outcome)
            }
            Err(error) => Err(error),
        };
        if !matches!(outcome, Err(StorageError::Unavailable(_))) {
            self.session = Some(session);
        }
        outcome
    }

    async fn append_through(
        &mut self,
        session: &mut Session,
        events: &[NewEvent<'_>],
    ) -> Result<Appended, StorageError> {
        let mut rows = events.to_vec();
        // The same order for every worker: two that insert the same keys cannot wait for each other, and neighbours in
        // time go to the same chunk. Of a key that came twice the earlier message gets the credit.
        rows.sort_unstable_by_key(|new| (key(new), new.stream_seq));
        rows.dedup_by_key(|new| key(new));
        let rows = numbers::resolve(&mut session.client, &session.statements, rows).await?;

        let copied = if self.wary == 0 { store(session, &rows, Way::Copy).await? } else { None };
        let mut appended = match copied {
            Some(appended) => appended,
            None => store(session, &rows, Way::InsertNew).await?.unwrap_or_default(),
        };
        let stored: u64 = appended.by_message.values().sum();
        appended.duplicates = u64::try_from(events.len()).unwrap_or(u64::MAX).saturating_sub(stored);
        self.wary = if stored < rows.len() as u64 { WARY_APPENDS } else { self.wary.saturating_sub(1) };
        Ok(appended)
    }
}

/// A row of `events`.
#[derive(Debug)]
struct Numbered<'a> {
    new: NewEvent<'a>,
    stream_seq: i64,
    /// Below 2^31: it has a column of PostgreSQL's `integer`.
    user_no: UserNo,
}

/// How rows get in.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// All of them or none.
    Copy,
    /// Those that are not there.
    InsertNew,
}

/// Stores rows, each of another key, and counts them in one transaction. `None`, and nothing is stored, when they are
/// to be copied and one of them is stored already.
async fn store(
    session: &mut Session,
    rows: &[Numbered<'_>],
    way: Way,
) -> Result<Option<Appended>, StorageError> {
    let Session { client, statements, .. } = session;
    let transaction = client.transaction().await?;
    let zones = zones(&transaction, statements, rows).await?;
    let inserted = match way {
        Way::Copy => match copy::copy(&transaction, &statements.copy_events, rows).await {
            // Only `events_identity` is unique.
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                transaction.rollback().await?;
                return Ok(None);
            }
            copied => copied.map(|()| None)?,
        },
        Way::InsertNew => Some(insert_new(&transaction, statements, rows).await?),
    };
    let mut appended = Appended::default();
    let is_new = |row: &&Numbered<'_>| inserted.as_ref().is_none_or(|keys| keys.contains(&key(&row.new)));
    let fresh = rows.iter().filter(is_new).map(|row| {
        let event = row.new.event;
        *appended.by_message.entry(row.new.stream_seq).or_default() += 1;
        rollup::Row {
            project_id: row.new.project_id,
            event_type: &event.event_type,
            occurred_at: event.occurred_at,
            user_no: row.user_no,
        }
    });
    let roll_ups = RollUps::fold(fresh, &zones).map_err(|e| StorageError::UnknownProject(e.0))?;
    for ((_, _, event_type), count) in &roll_ups.counts {
        *appended.by_type.entry(event_type.clone()).or_default() += count.unsigned_abs();
    }

    add_activity(&transaction, statements, &roll_ups).await?;
    // Last, because this is where workers wait for each other: on the row of the present quarter of an hour.
    add_counts(&transaction, statements, &roll_ups).await?;
    transaction.commit().await?;
    Ok(Some(appended))
}

type Key = (DateTime<Utc>, ProjectId, Uuid);

fn key(new: &NewEvent<'_>) -> Key {
    (new.event.occurred_at, new.project_id, new.event.event_id.0)
}

async fn zones(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rows: &[Numbered<'_>],
) -> Result<HashMap<ProjectId, TimeZone>, StorageError> {
    let projects: HashSet<Uuid> = rows.iter().map(|row| row.new.project_id.0).collect();
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

/// Inserts what is not there, and returns the keys of that.
async fn insert_new(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rows: &[Numbered<'_>],
) -> Result<HashSet<Key>, StorageError> {
    copy::copy(transaction, &statements.copy_arrivals, rows).await?;
    let returned = transaction.query(&statements.insert_arrivals, &[]).await?;
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
