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
        let event_type = EventType::parse(&self.event_type)
            .map_err(|e| StorageError::Corrupt(format!("event type {:?} {e}", self.event_type)))?;
        let count = u64::try_from(self.count).map_err(|e| StorageError::Corrupt(format!("a count: {e}")))?;
        Ok((event_type, count))
    }
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
