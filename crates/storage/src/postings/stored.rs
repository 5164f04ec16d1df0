//! Postings as they are stored: what a day said when it had a certain edition.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use futures_util::{Stream, TryStreamExt};
use millrace_domain::analytics::posting::Posting;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;

use super::Edition;
use crate::error::StorageError;
use crate::selected::Statement;

/// A day of an event type, in an edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// The type.
    pub event_type: EventType,
    /// Its midnight in UTC.
    pub start: DateTime<Utc>,
    /// Its edition.
    pub edition: Edition,
}

/// Comes out of a row without a copy of its bytes in between.
#[derive(Debug, FromSqlRow)]
struct Body(Posting);

impl FromSql<Binary, Pg> for Body {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(Posting::parse(value.as_bytes())?))
    }
}

/// The postings of each of these days that is stored in its edition, in parts; none for a day that is not.
///
/// # Errors
/// When the database fails, or what is stored cannot be read.
pub async fn load(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    days: &[Day],
) -> Result<Vec<Vec<Posting>>, StorageError> {
    let mut found = vec![Vec::new(); days.len()];
    let mut parts = stream(conn, project, days).await?;
    while let Some((place, posting)) = parts.try_next().await? {
        if let Some(parts) = found.get_mut(place) {
            parts.push(posting);
        }
    }
    for (parts, day) in found.iter().zip(days).filter(|(parts, _)| !parts.is_empty()) {
        let events: usize = parts.iter().map(Posting::len).sum();
        check_whole(u64::try_from(events).unwrap_or(u64::MAX), std::slice::from_ref(day))?;
    }
    Ok(found)
}

/// The parts of those of these days that are stored in their editions, each with the place of its day, in the order of
/// their first blocks.
///
/// # Errors
/// When the database fails, or what is stored cannot be read.
pub async fn stream<'c>(
    conn: &'c mut AsyncPgConnection,
    project: ProjectId,
    days: &[Day],
) -> Result<impl Stream<Item = Result<(usize, Posting), StorageError>> + Unpin + use<'c>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        place: i64,
        #[diesel(sql_type = Binary)]
        body: Body,
    }
    let rows = of_days(Statement::new("SELECT place, body"), project, days)
        .sql(" ORDER BY part")
        .stream::<Row>(conn)
        .await?;
    Ok(rows.map_ok(|Row { place, body: Body(posting) }| {
        (usize::try_from(place - 1).unwrap_or(usize::MAX), posting)
    }))
}

/// Whether each of these days is stored in its edition.
///
/// # Errors
/// When the database fails.
pub async fn has_all(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    days: &[Day],
) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        days: i64,
    }
    let rows: Vec<Row> =
        of_days(Statement::new("SELECT count(DISTINCT place) AS days"), project, days).load(conn).await?;
    Ok(rows.iter().any(|row| usize::try_from(row.days).ok() == Some(days.len())))
}

/// Whether so many events are all of these days.
///
/// # Errors
/// When they are not: nobody may be told less than there is.
pub fn check_whole(events: u64, days: &[Day]) -> Result<(), StorageError> {
    let expected: u64 = days.iter().map(|day| day.edition.events).sum();
    if events == expected {
        return Ok(());
    }
    let of = days.first().map(|day| format!("{} on {}", day.event_type, day.start)).unwrap_or_default();
    Err(StorageError::Corrupt(format!(
        "{events} of {expected} events are in the stored postings from {of} on"
    )))
}

/// The rest of a statement from its `FROM` on: the parts of these days in their editions, with the place of each day.
fn of_days<'a>(statement: Statement<'a>, project: ProjectId, days: &[Day]) -> Statement<'a> {
    let types: Vec<String> = days.iter().map(|day| day.event_type.to_string()).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|day| day.start.date_naive()).collect();
    let counts: Vec<i64> = days.iter().map(|day| events(day.edition)).collect();
    let editions: Vec<i64> = days.iter().map(|day| day.edition.rows).collect();
    statement
        .sql(" FROM unnest(")
        .bind::<Array<Text>, _>(types)
        .sql(", ")
        .bind::<Array<Date>, _>(dates)
        .sql(", ")
        .bind::<Array<BigInt>, _>(counts)
        .sql(", ")
        .bind::<Array<BigInt>, _>(editions)
        .sql(
            ") WITH ORDINALITY AS asked(event_type, day, events, rows, place)
             JOIN postings USING (event_type, day, events, rows) WHERE project_id = ",
        )
        .bind::<SqlUuid, _>(project.0)
}

/// Puts the postings of a day in the place of those that were stored before, in a transaction that the caller begins.
pub(super) async fn replace(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    day: &Day,
    parts: &[Posting],
) -> Result<(), StorageError> {
    let date = day.start.date_naive();
    diesel::sql_query("DELETE FROM postings WHERE project_id = $1 AND event_type = $2 AND day = $3")
        .bind::<SqlUuid, _>(project.0)
        .bind::<Text, _>(day.event_type.as_str())
        .bind::<Date, _>(date)
        .execute(conn)
        .await?;
    for posting in parts {
        let Some(part) = posting.first_block().and_then(|block| i32::try_from(block).ok()) else { continue };
        diesel::sql_query(
            "INSERT INTO postings (project_id, event_type, day, part, events, rows, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Text, _>(day.event_type.as_str())
        .bind::<Date, _>(date)
        .bind::<Integer, _>(part)
        .bind::<BigInt, _>(events(day.edition))
        .bind::<BigInt, _>(day.edition.rows)
        .bind::<Binary, _>(posting.as_bytes())
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Deletes the stored postings of the days that begin before a time, or of all days, and keeps others from being stored
/// during this transaction.
pub(crate) async fn delete(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    before: Option<DateTime<Utc>>,
) -> Result<(), StorageError> {
    stop_storing(conn, project).await?;
    diesel::sql_query(
        "DELETE FROM postings WHERE project_id = $1
             AND ($2::timestamptz IS NULL OR day::timestamp AT TIME ZONE 'UTC' < $2)",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Nullable<Timestamptz>, _>(before)
    .execute(conn)
    .await?;
    Ok(())
}

/// Waits, in this transaction, until nobody is storing postings of a project, and keeps others from beginning. Whoever
/// takes events away does this first: what was read before is not stored afterwards.
pub(crate) async fn stop_storing(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<(), StorageError> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('postings' || $1::text, 0))")
        .bind::<SqlUuid, _>(project.0)
        .execute(conn)
        .await?;
    Ok(())
}

/// Keeps whoever takes events away from doing so during this transaction. Waits for them, but not for long.
pub(super) async fn begin_storing(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<(), StorageError> {
    conn.batch_execute("SET LOCAL lock_timeout = '1s'").await?;
    diesel::sql_query("SELECT pg_advisory_xact_lock_shared(hashtextextended('postings' || $1::text, 0))")
        .bind::<SqlUuid, _>(project.0)
        .execute(conn)
        .await?;
    Ok(())
}

fn events(edition: Edition) -> i64 {
    i64::try_from(edition.events).unwrap_or(i64::MAX)
}
