//! Stored events as they were sent, in the order of time.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use millrace_domain::ids::{ProjectId, UserNo};
use millrace_domain::rollup::BUCKET;
use uuid::Uuid;

use crate::error::StorageError;

/// A stored event.
#[derive(Clone, Debug, PartialEq, QueryableByName)]
pub struct StoredEvent {
    /// Its id.
    #[diesel(sql_type = SqlUuid)]
    pub event_id: Uuid,
    /// What happened.
    #[diesel(sql_type = Text)]
    pub event_type: String,
    /// Whom it happened to.
    #[diesel(sql_type = Text)]
    pub user_id: String,
    /// When.
    #[diesel(sql_type = Timestamptz)]
    pub occurred_at: DateTime<Utc>,
    /// The session it was in.
    #[diesel(sql_type = Nullable<Text>)]
    pub session_id: Option<String>,
    /// A JSON object.
    #[diesel(sql_type = Text)]
    pub properties: String,
    /// A JSON object.
    #[diesel(sql_type = Nullable<Text>)]
    pub context: Option<String>,
}

/// Which events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Of one of these types; of any, if there are none.
    pub event_types: Vec<String>,
    /// Of this user.
    pub user_no: Option<UserNo>,
}

/// The events of a project within `instants`, one after the other: neither side holds them all, but the server sorts
/// them, on its disk if they are many.
///
/// # Errors
/// When the database fails.
pub async fn events<'conn>(
    conn: &'conn mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    selection: &Selection,
) -> Result<BoxStream<'conn, Result<StoredEvent, StorageError>>, StorageError> {
    let user_no = selection.user_no.map(i32::try_from).transpose();
    let user_no = user_no.map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
    // The conditions are spelled out, so that each statement has a plan of its own.
    let by_user = if user_no.is_some() { "user_no = $4" } else { "$4::integer IS NULL" };
    let by_type =
        if selection.event_types.is_empty() { "$5::text[] IS NOT NULL" } else { "event_type = ANY($5)" };
    let sql = format!(
        "SELECT event_id, event_type, user_id, occurred_at, session_id, properties::text, context::text
         FROM events WHERE project_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND {by_user} AND {by_type}
         ORDER BY occurred_at, event_id"
    );
    let rows = diesel::sql_query(sql)
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(instants.start)
        .bind::<Timestamptz, _>(instants.end)
        .bind::<Nullable<Integer>, _>(user_no)
        .bind::<Array<Text>, _>(selection.event_types.clone())
        .load_stream::<StoredEvent>(conn)
        .await?;
    Ok(rows.map_err(StorageError::from).boxed())
}

/// A part of the time that has about so many events of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The time; it ends with a bucket.
    pub instants: Range<DateTime<Utc>>,
    /// The types that occur in it.
    pub event_types: Vec<String>,
}

/// How many rows of counts are looked at for one window.
const LOOK_AHEAD: i64 = 5_000;

/// The first window within `instants` with at least `events` events, or what there is: it may have more, as many as a
/// quarter of an hour has, and fewer, where there are few for long. `None` when there are none.
///
/// # Errors
/// When the database fails.
pub async fn window(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    event_types: &[String],
    events: u64,
) -> Result<Option<Window>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Timestamptz)]
        bucket: DateTime<Utc>,
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT bucket, event_type, count FROM event_counts
         WHERE project_id = $1 AND bucket > $2 AND bucket < $3 AND ($4 OR event_type = ANY($5))
         ORDER BY bucket LIMIT $6",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Timestamptz, _>(instants.start - BUCKET)
    .bind::<Timestamptz, _>(instants.end)
    .bind::<Bool, _>(event_types.is_empty())
    .bind::<Array<Text>, _>(event_types)
    .bind::<BigInt, _>(LOOK_AHEAD)
    .load(conn)
    .await?;
    // Of the last bucket some rows may be beyond the limit; unless it is the only one, it is left to the next window.
    let full = i64::try_from(rows.len()).is_ok_and(|found| found == LOOK_AHEAD);
    let (first, last) =
        (rows.as_slice().first().map(|row| row.bucket), rows.as_slice().last().map(|row| row.bucket));
    let (mut found, mut end, mut types) = (0u64, None, std::collections::BTreeSet::new());
    for row in rows {
        let enough = found >= events && end != Some(row.bucket + BUCKET);
        if enough || (full && Some(row.bucket) == last && first != last) {
            break;
        }
        found += row.count.unsigned_abs();
        end = Some(row.bucket + BUCKET);
        types.insert(row.event_type);
    }
    Ok(end.map(|end| Window {
        instants: instants.start..end.min(instants.end),
        event_types: if full && first == last { event_types.to_vec() } else { types.into_iter().collect() },
    }))
}

/// About how many events there are within `instants`: exactly, where they begin and end with a bucket.
///
/// # Errors
/// When the database fails.
pub async fn count(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    event_types: &[String],
) -> Result<u64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let row: Row = diesel::sql_query(
        "SELECT coalesce(sum(count), 0)::bigint AS count FROM event_counts
         WHERE project_id = $1 AND bucket > $2 AND bucket < $3 AND ($4 OR event_type = ANY($5))",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Timestamptz, _>(instants.start - BUCKET)
    .bind::<Timestamptz, _>(instants.end)
    .bind::<Bool, _>(event_types.is_empty())
    .bind::<Array<Text>, _>(event_types)
    .get_result(conn)
    .await?;
    Ok(row.count.unsigned_abs())
}
