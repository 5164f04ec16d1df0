//! Event counts from the roll-up.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;

use crate::error::StorageError;

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

fn parse_type(stored: &str) -> Result<EventType, StorageError> {
    EventType::parse(stored).map_err(|e| StorageError::Corrupt(format!("event type {stored:?} {e}")))
}

fn parse_count(stored: i64) -> Result<u64, StorageError> {
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
