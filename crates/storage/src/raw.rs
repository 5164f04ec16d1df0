//! Answers from the events themselves, for what the roll-ups cannot answer: another zone's days, or a period that
//! does not begin and end with one of the project's days.
//!
//! Rows arrive as they are, repetitions included, and become sets here: a bitmap takes a repetition faster than the
//! server can sort or hash it away (a million rows in 0.4 s, against 0.9 s with `GROUP BY`), and neither side holds
//! more than the sets. Where a day begins is decided by the domain and not by the server, whose zone database may be
//! another version.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::text::EventType;
use roaring::RoaringBitmap;

use crate::counts::TypeCount;
use crate::error::StorageError;
use crate::selected::Statement;

/// Who was active on the days of `zone` within `instants`: a set for each `interval`, by its first date.
///
/// # Errors
/// When the database fails.
pub async fn activity(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selection: &Selection,
    instants: &Range<DateTime<Utc>>,
    zone: TimeZone,
    interval: Interval,
) -> Result<Vec<(NaiveDate, RoaringBitmap)>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Timestamptz)]
        occurred_at: DateTime<Utc>,
        #[diesel(sql_type = sql_types::Integer)]
        user_no: i32,
    }
    let days = Period::Instants { from: instants.start, to: instants.end }.dates(zone);
    let mut buckets: Vec<Bucket> =
        interval.buckets(days).map(|first| Bucket::starting(first, zone)).collect();
    let statement = events("occurred_at, user_no", project, selection, instants);
    let mut rows = statement.stream::<Row>(conn).await?;
    while let Some(row) = rows.try_next().await? {
        // The last bucket that has begun: of two that begin at once, the first is a date that the zone left out.
        let begun = buckets.partition_point(|bucket| bucket.start <= row.occurred_at);
        if let Some(bucket) = begun.checked_sub(1).and_then(|last| buckets.get_mut(last)) {
            bucket.users.insert(user_no(row.user_no)?);
        }
    }
    Ok(buckets.into_iter().map(|bucket| (bucket.first, bucket.users)).collect())
}

/// Who was active at all within `instants`.
///
/// # Errors
/// When the database fails.
pub async fn users(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selection: &Selection,
    instants: &Range<DateTime<Utc>>,
) -> Result<RoaringBitmap, StorageError> {
    numbers(events("user_no", project, selection, instants), conn).await
}

/// Who has at least so many of the selected events within `instants`.
///
/// # Errors
/// When the database fails.
pub async fn users_who_did(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selection: &Selection,
    instants: &Range<DateTime<Utc>>,
    at_least: u32,
) -> Result<RoaringBitmap, StorageError> {
    let often = events("user_no", project, selection, instants)
        .sql(" GROUP BY user_no HAVING count(*) >= ")
        .bind::<sql_types::BigInt, _>(i64::from(at_least));
    numbers(often, conn).await
}

/// The selected events of each type within `instants`, in no order.
///
/// # Errors
/// When the database fails.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selection: &Selection,
    instants: &Range<DateTime<Utc>>,
) -> Result<Vec<(EventType, u64)>, StorageError> {
    let statement = events("event_type, count(*) AS count", project, selection, instants);
    let rows: Vec<TypeCount> = statement.sql(" GROUP BY event_type").load(conn).await?;
    rows.into_iter().map(TypeCount::parse).collect()
}

/// A local day, week or month, and who was seen in it.
struct Bucket {
    first: NaiveDate,
    start: DateTime<Utc>,
    users: RoaringBitmap,
}

impl Bucket {
    fn starting(first: NaiveDate, zone: TimeZone) -> Self {
        Self { first, start: zone.day_start(first), users: RoaringBitmap::new() }
    }
}

/// `columns` of the events that are selected.
fn events(
    columns: &str,
    project: ProjectId,
    selection: &Selection,
    instants: &Range<DateTime<Utc>>,
) -> Statement<'static> {
    Statement::new("SELECT ").sql(columns).of_events(project, instants).and_selected(selection)
}

/// The numbers that a statement selects as `user_no`.
pub(crate) async fn numbers(
    statement: Statement<'static>,
    conn: &mut AsyncPgConnection,
) -> Result<RoaringBitmap, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        user_no: i32,
    }
    let mut rows = statement.stream::<Row>(conn).await?;
    let mut users = RoaringBitmap::new();
    while let Some(row) = rows.try_next().await? {
        users.insert(user_no(row.user_no)?);
    }
    Ok(users)
}

pub(crate) fn user_no(stored: i32) -> Result<UserNo, StorageError> {
    UserNo::try_from(stored).map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))
}
