//! Rows on their way into `events`, in one transaction with their counts.
//!
//! Events that come a second time are rare, so the rows are copied into `events`: the fastest way in, and refused as a
//! whole by the unique index when one of them is stored already. Then, and for some appends after that, they go by way of
//! a temporary table and `INSERT … ON CONFLICT DO NOTHING`, which says which were new.
//!
//! Either is also refused as a whole for a row that the database does not take. So many rows go in pieces, each under a
//! savepoint: only the piece is written in vain. Which row it was is known: those before it go again, it is tried
//! alone, and those behind it follow. None is blamed that is not refused alone.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use millrace_domain::analytics::time_zone::{TimeZone, UnknownTimeZone};
use millrace_domain::ids::{ProjectId, UserNo};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::copy::{copy, refused_row};
use super::session::Session;
use super::statements::Statements;
use super::{Appended, NewEvent, Refusal, counting};
use crate::error::StorageError;

/// So few rows go without savepoints. Should one of them be refused, all are written in vain.
const BARE: usize = 4_096;
/// Rows of a piece: those that a refused one makes the database write in vain. A savepoint costs as much as some rows.
const PIECE: usize = 2_048;
/// Rows of a piece behind a refused one. They are sent again for each refusal among them.
const PIECE_BEHIND: usize = 1_024;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// All of them or none.
    Copy,
    /// Those that are not there.
    InsertNew,
}

/// Stores rows, each of another key, and counts them in one transaction.
pub(super) async fn store(
    session: &mut Session,
    rows: &[Numbered<'_>],
    way: Way,
    keeps_sets: bool,
) -> Result<Appended, StorageError> {
    let way = match rows.len() {
        ..=BARE => match write(session, rows, (way, keeps_sets), false).await {
            Err(Failure::Repetition) => Way::InsertNew,
            Err(Failure::Refused { .. }) => way,
            written => return Ok(written?),
        },
        _ => way,
    };
    Ok(write(session, rows, (way, keeps_sets), true).await?)
}

async fn write(
    session: &mut Session,
    rows: &[Numbered<'_>],
    (way, keeps_sets): (Way, bool),
    in_pieces: bool,
) -> Result<Appended, Failure> {
    let Session { client, statements, .. } = session;
    let mut transaction = client.transaction().await?;
    let zones = zones(&transaction, statements, rows).await?;
    let (fresh, refused) = if in_pieces {
        put_pieces(&mut transaction, statements, rows, way).await?
    } else {
        (put(&transaction, statements, rows, way).await?, Vec::new())
    };
    let appended = counting::count(&transaction, statements, &fresh, &zones, keeps_sets).await?;
    transaction.commit().await?;
    Ok(Appended { refused, ..appended })
}

/// Why rows did not get in.
#[derive(Debug)]
enum Failure {
    /// One of them is stored already.
    Repetition,
    /// The database does not take one of them; which, if it says so.
    Refused { row: Option<usize>, words: String },
    /// Anything else.
    Other(StorageError),
}

impl Failure {
    /// Why the database did not take rows.
    fn of(error: tokio_postgres::Error) -> Self {
        // Only `events_identity` is unique.
        if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            return Self::Repetition;
        }
        let row = refused_row(&error);
        match StorageError::from(error) {
            StorageError::Refused(words) => Self::Refused { row, words },
            error => Self::Other(error),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Repetition => Self::Conflict("an event".to_owned()),
            Failure::Refused { words, .. } => Self::Refused(words),
            Failure::Other(error) => error,
        }
    }
}

/// Puts all rows in that the database takes, in their order. Returns those that were new, and those that it refused.
async fn put_pieces<'a>(
    transaction: &mut Transaction<'_>,
    statements: &Statements,
    rows: &'a [Numbered<'a>],
    mut way: Way,
) -> Result<(Vec<&'a Numbered<'a>>, Vec<Refusal>), Failure> {
    let (mut fresh, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
    // The next is at the end.
    let mut waiting = pieces(0..rows.len(), PIECE);
    while let Some(range) = waiting.pop() {
        let Some(piece @ [first, ..]) = rows.get(range.clone()) else { continue };
        let savepoint = transaction.transaction().await?;
        match put(&savepoint, statements, piece, way).await {
            Ok(new) => {
                if way == Way::InsertNew {
                    savepoint.execute(&statements.clear_arrivals, &[]).await?;
                }
                savepoint.commit().await?;
                fresh.extend(new);
            }
            Err(Failure::Repetition) if way == Way::Copy => {
                savepoint.rollback().await?;
                way = Way::InsertNew;
                waiting.push(range);
            }
            Err(Failure::Refused { words, .. }) if piece.len() == 1 => {
                savepoint.rollback().await?;
                refused.push(Refusal { place: first.place, words });
            }
            Err(Failure::Refused { row, .. }) => {
                savepoint.rollback().await?;
                let row = match (row, way) {
                    (None, Way::InsertNew) => last_inserted(transaction, statements).await?,
                    (row, _) => row,
                };
                waiting.extend(around(range, row));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((fresh, refused))
}

/// A range in pieces of so many, the last first.
fn pieces(range: Range<usize>, size: usize) -> Vec<Range<usize>> {
    range.clone().step_by(size).rev().map(|start| start..range.end.min(start + size)).collect()
}

/// What is behind a row of a range, the row, and what is before it. Where it is not known which row: the halves.
fn around(range: Range<usize>, row: Option<usize>) -> Vec<Range<usize>> {
    let row = row.map(|row| range.start + row).filter(|row| range.contains(row));
    let Some(row) = row else {
        let middle = range.start + range.len() / 2;
        return vec![middle..range.end, range.start..middle];
    };
    let mut around = pieces(row + 1..range.end, PIECE_BEHIND);
    around.extend([row..row + 1, range.start..row]);
    around
}

/// Puts rows in, and returns those that were new.
async fn put<'a>(
    transaction: &Transaction<'_>,
    statements: &Statements,
    rows: &'a [Numbered<'a>],
    way: Way,
) -> Result<Vec<&'a Numbered<'a>>, Failure> {
    if way == Way::Copy {
        copy(transaction, &statements.copy_events, rows).await.map_err(Failure::of)?;
        return Ok(rows.iter().collect());
    }
    transaction.execute(&statements.begin_inserting, &[]).await?;
    copy(transaction, &statements.copy_arrivals, rows).await.map_err(Failure::of)?;
    let inserted = transaction.query(&statements.insert_arrivals, &[]).await.map_err(Failure::of)?;
    let key_of = |row: &Row| Ok((row.try_get(0)?, ProjectId(row.try_get(1)?), row.try_get(2)?));
    let keys: HashSet<Key> = inserted.iter().map(key_of).collect::<Result<_, tokio_postgres::Error>>()?;
    Ok(rows.iter().filter(|row| keys.contains(&key(&row.new))).collect())
}

/// Which of the arrivals the last insertion came to before it was rolled back.
async fn last_inserted(
    transaction: &Transaction<'_>,
    statements: &Statements,
) -> Result<Option<usize>, tokio_postgres::Error> {
    let row = transaction.query_one(&statements.last_inserted, &[]).await?;
    let (number, any): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
    Ok(usize::try_from(number - 1).ok().filter(|_| any))
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
            let project = ProjectId(row.try_get(0)?);
            let unusable = |fault: UnknownTimeZone| StorageError::UnusableProject(project, fault.to_string());
            Ok((project, TimeZone::parse(row.try_get(1)?).map_err(unusable)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_whole_in_order_with_the_named_row_alone() {
        for (start, end, row) in [(0, 2, 1), (5, 4_000, 0), (5, 4_000, 1_200), (0, 3_000, 2_999)] {
            let parts = around(start..end, Some(row));
            let whole: Vec<usize> = parts.iter().rev().cloned().flatten().collect();
            assert_eq!(whole, (start..end).collect::<Vec<_>>());
            assert!(parts.contains(&(start + row..start + row + 1)));
            assert!(parts.iter().all(|part| part.end <= start + row || part.len() <= PIECE_BEHIND));
        }
        for unknown in [None, Some(3_000)] {
            assert_eq!(around(5..8, unknown), [6..8, 5..6]);
        }
    }
}
