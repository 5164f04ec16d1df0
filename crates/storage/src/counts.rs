//! Event counts from the roll-up.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;

use crate::error::StorageError;
use crate::selected::Statement;

#[derive(QueryableByName)]
pub(crate) struct TypeCount {
    #[diesel(sql_type = sql_types::Text)]
    event_type: String,
    #[diesel(sql_type = sql_types::BigInt)]
    count: i64,
}

impl TypeCount {
    pub(crate) fn parse(self) -> Result<(EventType, u64), StorageError> {
        Ok((parse_type(&self.event_type)?, parse_count(self.count)?))
    }
}

pub(crate) fn parse_type(stored: &str) -> Result<EventType, StorageError> {
    EventType::parse(stored).map_err(|e| StorageError::Corrupt(format!("event type {stored:?} {e}")))
}

pub(crate) fn parse_count(stored: i64) -> Result<u64, StorageError> {
    u64::try_from(stored).map_err(|e| StorageError::Corrupt(format!("a count: {e}")))
}

/// The events of each type within `buckets`, which must begin and end with a bucket
/// ([`millrace_domain::rollup::BUCKET`]): the `limit` most frequent ones, by count, then by name, or all.
///
/// # Errors
/// When the database fails.
pub async fn by_type(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    buckets: &Range<DateTime<Utc>>,
    limit: Option<u16>,
) -> Result<Vec<(EventType, u64)>, StorageError> {
    let rows: Vec<TypeCount> = diesel::sql_query(
        "SELECT event_type, sum(count)::bigint AS count FROM event_counts
         WHERE project_id = $1 AND bucket >= $2 AND bucket < $3
         GROUP BY event_type ORDER BY count DESC, event_type COLLATE \"C\" LIMIT $4",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Timestamptz, _>(buckets.start)
    .bind::<sql_types::Timestamptz, _>(buckets.end)
    .bind::<sql_types::Nullable<sql_types::BigInt>, _>(limit.map(i64::from))
    .load(conn)
    .await?;
    rows.into_iter().map(TypeCount::parse).collect()
}

/// The events of a type, or of any, from each of `starts` to the next; the last of `starts` is where the last ends. All
/// of them must be where a bucket ([`millrace_domain::rollup::BUCKET`]) begins.
///
/// # Errors
/// When the database fails.
pub async fn by_time(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event: &EventSelector,
    starts: &[DateTime<Utc>],
) -> Result<Vec<u64>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        place: i32,
        #[diesel(sql_type = sql_types::BigInt)]
        count: i64,
    }
    let mut counts = vec![0; starts.len().saturating_sub(1)];
    let (Some(first), Some(last)) = (starts.first(), starts.last()) else { return Ok(counts) };
    let rows: Vec<Row> = Statement::new("SELECT width_bucket(bucket, ")
        .bind::<sql_types::Array<sql_types::Timestamptz>, _>(starts.to_vec())
        .sql(") AS place, sum(count)::bigint AS count FROM event_counts WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" AND bucket >= ")
        .instant(*first)
        .sql(" AND bucket < ")
        .instant(*last)
        .of_type(event)
        .sql(" GROUP BY 1")
        .load(conn)
        .await?;
    for row in rows {
        let place = usize::try_from(row.place).ok().and_then(|place| place.checked_sub(1));
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count = parse_count(row.count)?;
        }
    }
    Ok(counts)
}

/// An event type over all time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSummary {
    /// The type.
    pub event_type: EventType,
    /// Its events.
    pub count: u64,
    /// The start of the bucket of the earliest one.
    pub first_seen: DateTime<Utc>,
    /// The start of the bucket of the latest one.
    pub last_seen: DateTime<Utc>,
}

/// The first `limit` event types by name, of those after `after`. Reads every bucket of the project: a year of fifty
/// types, each in every quarter of an hour, takes half a second.
///
/// # Errors
/// When the database fails.
pub async fn types(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    after: &str,
    limit: u16,
) -> Result<Vec<TypeSummary>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        event_type: String,
        #[diesel(sql_type = sql_types::BigInt)]
        count: i64,
        #[diesel(sql_type = sql_types::Timestamptz)]
        first_seen: DateTime<Utc>,
        #[diesel(sql_type = sql_types::Timestamptz)]
        last_seen: DateTime<Utc>,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT event_type, sum(count)::bigint AS count, min(bucket) AS first_seen, max(bucket) AS last_seen
         FROM event_counts WHERE project_id = $1 AND event_type COLLATE \"C\" > $2
         GROUP BY event_type ORDER BY event_type COLLATE \"C\" LIMIT $3",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Text, _>(after)
    .bind::<sql_types::BigInt, _>(i64::from(limit))
    .load(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (event_type, count) = (parse_type(&row.event_type)?, parse_count(row.count)?);
            Ok(TypeSummary { event_type, count, first_seen: row.first_seen, last_seen: row.last_seen })
        })
        .collect()
}
