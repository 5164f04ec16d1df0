//! Making the roll-ups right where they were found to be wrong, all at once.
//!
//! Differences of counts are added, as an append adds. Of the users in doubt the events are asked again, because some may
//! have come meanwhile; whoever is in no doubt stays in their set, however often its parts were merged since.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{JobId, ProjectId, UserNo};
use millrace_domain::jobs::Progress;
use roaring::RoaringBitmap;
use serde_json::Value;

use super::staging::instants_of;
use super::{lock_books, sets_are_made};
use crate::activity::{column, from_bytes, to_bytes};
use crate::erasure::sweep_counts;
use crate::error::StorageError;
use crate::jobs::holding::{Holding, Note};
use crate::postings::stored;

/// What was wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swapped {
    /// Counts of a quarter of an hour.
    pub buckets: u64,
    /// Sets of a day.
    pub sets: u64,
}

/// Corrects what a job has noted, and notes what `note` makes of it, in one transaction: from then on the sets are of the
/// zone. Time of which events have been dropped stays as it is. `None`, and nothing was done, when the project has got
/// another zone since it had got one `zone_changes` times.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn swap(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (zone, zone_changes): (TimeZone, i32),
    held: Holding,
    note: impl Fn(&Swapped) -> (Value, Progress) + Send + Sync,
) -> Result<Option<Swapped>, StorageError> {
    conn.transaction(async |conn| {
        let books = lock_books(conn, project).await?;
        if books.zone_changes != zone_changes {
            return Ok(None);
        }
        let since = books.events_since;
        // Nobody merges parts meanwhile.
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('activity' || $1::text, 0))")
            .bind::<SqlUuid, _>(project.0)
            .execute(conn)
            .await?;
        let sets = correct_sets(conn, project, zone, since, held.job).await?;
        // Behind the sets, which take longer: appends wait for these rows.
        let buckets = correct_counts(conn, project, since, held.job).await?;
        diesel::sql_query("DELETE FROM rebuilds WHERE job_id = $1")
            .bind::<SqlUuid, _>(held.job.0)
            .execute(conn)
            .await?;
        stored::delete(conn, project, None).await?;
        sets_are_made(conn, project, zone_changes).await?;
        let swapped = Swapped { buckets, sets };
        let (checkpoint, progress) = note(&swapped);
        Note { held, checkpoint: &checkpoint, progress }.write(conn).await?;
        Ok(Some(swapped))
    })
    .await
}

async fn correct_counts(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    since: Option<DateTime<Utc>>,
    job: JobId,
) -> Result<u64, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        buckets: i64,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        first: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        last: Option<DateTime<Utc>>,
    }
    let row: Row = diesel::sql_query(
        "WITH corrected AS
             (INSERT INTO event_counts (project_id, bucket, event_type, count)
              SELECT $1, bucket, event_type, difference FROM rebuild_counts
              WHERE job_id = $2 AND ($3::timestamptz IS NULL OR bucket >= $3)
              ORDER BY bucket, event_type COLLATE \"C\"
              ON CONFLICT (project_id, bucket, event_type)
              DO UPDATE SET count = event_counts.count + excluded.count
              RETURNING bucket)
         SELECT count(*) AS buckets, min(bucket) AS first, max(bucket) AS last FROM corrected",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<SqlUuid, _>(job.0)
    .bind::<Nullable<Timestamptz>, _>(since)
    .get_result(conn)
    .await?;
    if let Some((first, last)) = row.first.zip(row.last) {
        sweep_counts(conn, project, first, last).await?;
    }
    Ok(row.buckets.unsigned_abs())
}

async fn correct_sets(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    zone: TimeZone,
    since: Option<DateTime<Utc>>,
    job: JobId,
) -> Result<u64, StorageError> {
    #[derive(QueryableByName)]
    struct Doubt {
        #[diesel(sql_type = Date)]
        day: NaiveDate,
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = Binary)]
        doubtful: Vec<u8>,
    }
    let mut corrected = 0;
    let mut day = None;
    loop {
        // A day at a time: all of them may be much.
        let doubts: Vec<Doubt> = diesel::sql_query(
            "SELECT day, event_type, doubtful FROM rebuild_sets WHERE job_id = $1 AND day =
                 (SELECT min(day) FROM rebuild_sets WHERE job_id = $1 AND ($2::date IS NULL OR day > $2))",
        )
        .bind::<SqlUuid, _>(job.0)
        .bind::<Nullable<Date>, _>(day)
        .load(conn)
        .await?;
        day = doubts.as_slice().first().map(|doubt| doubt.day);
        if day.is_none() {
            return Ok(corrected);
        }
        for Doubt { day, event_type, doubtful } in doubts {
            if since.is_none_or(|since| since <= zone.day_start(day)) {
                let doubtful = from_bytes(&doubtful)?;
                correct_set(conn, project, zone, day, &event_type, &doubtful).await?;
                corrected += 1;
            }
        }
    }
}

async fn correct_set(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    zone: TimeZone,
    day: NaiveDate,
    event_type: &str,
    doubtful: &RoaringBitmap,
) -> Result<(), StorageError> {
    #[derive(QueryableByName)]
    struct Part {
        #[diesel(sql_type = BigInt)]
        part: i64,
        #[diesel(sql_type = Binary)]
        users: Vec<u8>,
    }
    // First the parts, then the events: of whomever a part speaks that is replaced, the events do by then. Parts that come
    // meanwhile stay beside it.
    let parts: Vec<Part> = diesel::sql_query(
        "SELECT part, users FROM activity WHERE project_id = $1 AND event_type = $2 AND day = $3",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Text, _>(event_type)
    .bind::<Date, _>(day)
    .load(conn)
    .await?;
    let mut users = RoaringBitmap::new();
    for part in &parts {
        users |= from_bytes(&part.users)?;
    }
    users -= doubtful;
    users |= active_among(conn, project, zone, day, event_type, doubtful).await?;
    users.optimize();
    diesel::sql_query(
        "DELETE FROM activity WHERE project_id = $1 AND event_type = $2 AND day = $3 AND part = ANY($4)",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Text, _>(event_type)
    .bind::<Date, _>(day)
    .bind::<Array<BigInt>, _>(parts.iter().map(|part| part.part).collect::<Vec<i64>>())
    .execute(conn)
    .await?;
    if !users.is_empty() {
        diesel::sql_query(
            "INSERT INTO activity (project_id, event_type, day, part, users) VALUES ($1, $2, $3, 0, $4)",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Text, _>(event_type)
        .bind::<Date, _>(day)
        .bind::<Binary, _>(to_bytes(&users)?)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Who of these users did that on that day; under the empty text, anything.
async fn active_among(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    zone: TimeZone,
    day: NaiveDate,
    event_type: &str,
    users: &RoaringBitmap,
) -> Result<RoaringBitmap, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        user_no: i32,
    }
    let unreadable =
        |error: std::num::TryFromIntError| StorageError::Corrupt(format!("a user number: {error}"));
    // A number that no user can have is nobody's.
    let numbers: Vec<i32> = users.iter().filter_map(|user| i32::try_from(user).ok()).collect();
    let instants = instants_of(zone, day);
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT DISTINCT user_no FROM events
         WHERE project_id = $1 AND occurred_at >= $2 AND occurred_at < $3 AND user_no = ANY($4)
           AND ($5 = $6 OR event_type = $5)",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Timestamptz, _>(instants.start)
    .bind::<Timestamptz, _>(instants.end)
    .bind::<Array<Integer>, _>(numbers)
    .bind::<Text, _>(event_type)
    .bind::<Text, _>(column(None))
    .load(conn)
    .await?;
    rows.iter().map(|row| UserNo::try_from(row.user_no).map_err(unreadable)).collect()
}
