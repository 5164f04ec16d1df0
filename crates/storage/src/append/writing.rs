//! Rows on their way into `events`, in one transaction with their counts.
//!
//! Events that come a second time are rare, so the rows are copied into `events`: the fastest way in, and refused as a
//! whole by the unique index when one of them is stored already. Then, and for some appends after that, they go by way of
//! a temporary table and `INSERT … ON CONFLICT DO NOTHING`, which says which were new.
//!
//! A copy is also refused as a whole for a row that the database does not take. PostgreSQL says which one it was: those
//! before it are copied again, it is tried alone, and those behind it follow in pieces. So a good row is written in vain
//! once at most, however many are refused, and none is blamed that is not refused alone.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{ProjectId, UserNo};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Statement, Transaction};
use uuid::Uuid;

use super::copy::{copy, refused_row};
use super::session::Session;
use super::statements::Statements;
use super::{Appended, NewEvent, Refusal, counting};
use crate::error::StorageError;

/// Rows behind a refused one that are copied at once. Those of a piece are sent again for each refusal among them.
const PIECE: usize = 1_000;

/// A row of `events`.
#[derive(Debug)]
pub(super) struct Numbered<'a> {
    pub(super) new: NewEvent<'a>,
    /// Its place among the events of the append.
    pub(super) place: usize,
    pub(super) stream_seq: i64,
    /// Below 2^31: it has a column of PostgreSQL's `integer`.
    pub(super) user_no: UserNo,
}

/// What tells events apart.
pub(super) type Key = (DateTime<Utc>, ProjectId, Uuid);

pub(super) fn key(new: &NewEvent<'_>) -> Key {
    (new.event.occurred_at, new.project_id, new.event.event_id.0)
}

/// How rows get in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// All of them or none.
    Copy,
    /// Those that the database takes; this one it has refused.
    Parts { refused: usize },
    /// Those that are not there.
    InsertNew,
}

/// What became of rows.
#[derive(Debug)]
pub(super) enum Written {
    /// They are stored and counted, but for those that are named as refused.
    All(Appended),
    /// Nothing: one of them is stored already.
    Repetition,
    /// Nothing: the database does not take the row with this index.
    Refusal(usize),
}

/// Stores rows, each of another key, and counts them in one transaction.
pub(super) async fn store(
    session: &mut Session,
    rows: &[Numbered<'_>],
    way: Way,
    keeps_sets: bool,
) -> Result<Written, StorageError> {
    let Session { client, statements, .. } = session;
    let mut transaction = client.transaction().await?;
    let zones = zones(&transaction, statements, rows).await?;
    let mut refused = Vec::new();
    let fresh: Vec<&Numbered<'_>> = match way {
        Way::Copy => match copy(&transaction, &statements.copy_events, rows).await.map_err(Failure::of) {
            Ok(()) => rows.iter().collect(),
            Err(Failure::Repetition) => return Ok(Written::Repetition),
            Err(Failure::Row(row, _)) if row < rows.len() => return Ok(Written::Refusal(row)),
            Err(failure) => return Err(failure.into()),
        },
        Way::Parts { refused: row } => {
            match copy_parts(&mut transaction, &statements.copy_events, rows, row).await {
                Ok(found) => refused = found,
                Err(Failure::Repetition) => return Ok(Written::Repetition),
                Err(failure) => return Err(failure.into()),
            }
            let places: HashSet<usize> = refused.iter().map(|refusal| refusal.place).collect();
            rows.iter().filter(|row| !places.contains(&row.place)).collect()
        }
        Way::InsertNew => {
            let keys = insert_new(&transaction, statements, rows).await?;
            rows.iter().filter(|row| keys.contains(&key(&row.new))).collect()
        }
    };
    let appended = counting::count(&transaction, statements, &fresh, &zones, keeps_sets).await?;
    transaction.commit().await?;
    Ok(Written::All(Appended { refused, ..appended }))
}

/// Why rows were not copied.
#[derive(Debug)]
enum Failure {
    /// One of them is stored already.
    Repetition,
    /// The database does not take this one, it says.
    Row(usize, String),
    /// Anything else.
    Other(StorageError),
}

impl Failure {
    fn of(error: tokio_postgres::Error) -> Self {
        // Only `events_identity` is unique.
        if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            return Self::Repetition;
        }
        let row = refused_row(&error);
        match (StorageError::from(error), row) {
            (StorageError::Refused(words), Some(row)) => Self::Row(row, words),
            (error, _) => Self::Other(error),
        }
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Repetition => Self::Conflict("an event".to_owned()),
            Failure::Row(_, words) => Self::Refused(words),
            Failure::Other(error) => error,
        }
    }
}

/// Copies all rows that the database takes, in their order, and returns the others. `suspect` is one of those.
async fn copy_parts(
    transaction: &mut Transaction<'_>,
    statement: &Statement,
    rows: &[Numbered<'_>],
    suspect: usize,
) -> Result<Vec<Refusal>, Failure> {
    let mut refused = Vec::new();
    // The next is at the end.
    let mut waiting = parts(0..rows.len(), suspect);
    while let Some(range) = waiting.pop() {
        let Some(part @ [first, ..]) = rows.get(range.clone()) else { continue };
        let savepoint = transaction.transaction().await.map_err(Failure::of)?;
        match copy(&savepoint, statement, part).await.map_err(Failure::of) {
            Ok(()) => savepoint.commit().await.map_err(Failure::of)?,
            Err(Failure::Row(_, words) | Failure::Other(StorageError::Refused(words))) if part.len() == 1 => {
                savepoint.rollback().await.map_err(Failure::of)?;
                refused.push(Refusal { place: first.place, words });
            }
            Err(Failure::Row(row, _)) if row < part.len() => {
                savepoint.rollback().await.map_err(Failure::of)?;
                waiting.extend(parts(range.clone(), range.start + row));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(refused)
}

/// What is before a row, the row, and what is behind it, in pieces; the last comes first.
fn parts(range: Range<usize>, row: usize) -> Vec<Range<usize>> {
    let behind = (row + 1..range.end).step_by(PIECE).map(|start| start..range.end.min(start + PIECE));
    let mut parts = vec![range.start..row, row..row + 1];
    parts.extend(behind);
    parts.reverse();
    parts
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
    copy(transaction, &statements.copy_arrivals, rows).await?;
    let returned = transaction.query(&statements.insert_arrivals, &[]).await?;
    returned.iter().map(|row| Ok((row.try_get(0)?, ProjectId(row.try_get(1)?), row.try_get(2)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_the_whole_in_order_with_the_suspect_alone() {
        for (start, end, row) in [(0, 1, 0), (0, 2, 1), (5, 4_000, 5), (5, 4_000, 1_200), (0, 3_000, 2_999)] {
            let parts = parts(start..end, row);
            let whole: Vec<usize> = parts.iter().rev().cloned().flatten().collect();
            assert_eq!(whole, (start..end).collect::<Vec<_>>());
            assert!(parts.contains(&(row..row + 1)));
            assert!(parts.iter().all(|part| part.end <= row || part.len() <= PIECE));
        }
    }
}
