//! Event counts from the roll-up.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;
use millrace_domain::rollup::bucket_of;

use crate::error::StorageError;

/// Events of one type.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct TypeCount {
    /// The event type.
    #[diesel(sql_type = sql_types::Text)]
    pub event_type: String,
    /// How many.
    #[diesel(sql_type = sql_types::BigInt)]
    pub count: i64,
}

/// Whether the roll-up can answer for exactly these instants: its buckets are a quarter of an hour wide.
#[must_use]
pub fn covers(instants: &Range<DateTime<Utc>>) -> bool {
    bucket_of(instants.start) == instants.start && bucket_of(instants.end) == instants.end
}

/// The most frequent event types, by count, then by name.
///
/// # Errors
/// When the database fails.
pub async fn top(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<TypeCount>, StorageError> {
    Ok(diesel::sql_query(
        "SELECT event_type, sum(count)::bigint AS count FROM event_counts
         WHERE project_id = $1 AND bucket >= $2 AND bucket < $3
         GROUP BY event_type ORDER BY count DESC, event_type COLLATE \"C\" LIMIT $4",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Timestamptz, _>(instants.start)
    .bind::<sql_types::Timestamptz, _>(instants.end)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await?)
}
