//! Where events and roll-ups differ.
//!
//! A difference of counts stays what it is while events come: an append commits rows and counts together, so one statement
//! that sees both of the same commits sees what is truly wrong. Of sets it is noted which users are in doubt. Parts are
//! read before the events: of whom a part speaks rightly the events do, too, by then.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Binary, Bool, Date, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{JobId, ProjectId, UserNo};
use roaring::RoaringBitmap;

use super::lock_books;
use crate::activity::{column, from_bytes, to_bytes};
use crate::error::StorageError;
use crate::jobs::holding::Note;

/// Begins a rebuild with nothing noted. What others of the project have noted is void: they begin again, if they go on.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn begin(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    note: Note<'_>,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        diesel::sql_query("DELETE FROM rebuilds WHERE project_id = $1")
            .bind::<SqlUuid, _>(project.0)
            .execute(conn)
            .await?;
        diesel::sql_query("INSERT INTO rebuilds (job_id, project_id) VALUES ($1, $2)")
            .bind::<SqlUuid, _>(note.held.job.0)
            .bind::<SqlUuid, _>(project.0)
            .execute(conn)
            .await?;
        note.write(conn).await
    })
    .await
}

/// Whether what a job has noted is there to go on from.
///
/// # Errors
/// When the database fails.
pub async fn is_begun(conn: &mut AsyncPgConnection, job: JobId) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        begun: bool,
    }
    let row: Row = diesel::sql_query("SELECT EXISTS (SELECT FROM rebuilds WHERE job_id = $1) AS begun")
        .bind::<SqlUuid, _>(job.0)
        .get_result(conn)
        .await?;
    Ok(row.begun)
}

/// Notes which counts of the buckets within `instants` are off, and by what. They must begin and end with a bucket.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn stage_counts(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    note: Note<'_>,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        let since = lock_books(conn, project).await?.events_since;
        let from = since.map_or(instants.start, |since| since.max(instants.start));
        diesel::sql_query(
            "WITH recount AS
                 (SELECT time_bucket('15 minutes', occurred_at) AS bucket, event_type, count(*) AS count FROM events
                  WHERE project_id = $2 AND occurred_at >= $3 AND occurred_at < $4 GROUP BY 1, 2),
             stored AS
                 (SELECT bucket, event_type, count FROM event_counts
                  WHERE project_id = $2 AND bucket >= $3 AND bucket < $4)
             INSERT INTO rebuild_counts (job_id, bucket, event_type, difference)
             SELECT $1, bucket, event_type, coalesce(recount.count, 0) - coalesce(stored.count, 0)
             FROM recount FULL JOIN stored USING (bucket, event_type)
             WHERE recount.count IS DISTINCT FROM stored.count",
        )
        .bind::<SqlUuid, _>(note.held.job.0)
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(instants.end)
        .execute(conn)
        .await?;
        // Last, because whoever renews the hold waits from here on.
        note.write(conn).await
    })
    .await
}

/// Notes of which users the sets of a local day and its events do not say the same. A day of which events have been dropped
/// stays as it is.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn stage_sets(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    zone: TimeZone,
    day: NaiveDate,
    note: Note<'_>,
) -> Result<(), StorageError> {
    conn.transaction(async |conn| {
        let since = lock_books(conn, project).await?.events_since;
        let instants = instants_of(zone, day);
        if since.is_none_or(|since| since <= instants.start) {
            let mut doubtful = stored_sets(conn, project, day).await?;
            for (event_type, users) in sets_of(conn, project, &instants).await? {
                *doubtful.entry(event_type).or_default() ^= users;
            }
            doubtful.retain(|_, users| !users.is_empty());
            let sets: Vec<Vec<u8>> = doubtful.values().map(to_bytes).collect::<Result<_, _>>()?;
            let types: Vec<String> = doubtful.into_keys().collect();
            diesel::sql_query(
                "INSERT INTO rebuild_sets (job_id, day, event_type, doubtful)
                 SELECT $1, $2, new.* FROM unnest($3::text[], $4::bytea[]) AS new(event_type, doubtful)",
            )
            .bind::<SqlUuid, _>(note.held.job.0)
            .bind::<Date, _>(day)
            .bind::<Array<Text>, _>(types)
            .bind::<Array<Binary>, _>(sets)
            .execute(conn)
            .await?;
        }
        note.write(conn).await
    })
    .await
}

/// When a local day is.
pub(super) fn instants_of(zone: TimeZone, day: NaiveDate) -> Range<DateTime<Utc>> {
    zone.day_start(day)..zone.day_start(day.succ_opt().unwrap_or(day))
}

async fn stored_sets(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    day: NaiveDate,
) -> Result<BTreeMap<String, RoaringBitmap>, StorageError> {
    #[derive(QueryableByName)]
    struct Part {
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = Binary)]
        users: Vec<u8>,
    }
    let parts: Vec<Part> =
        diesel::sql_query("SELECT event_type, users FROM activity WHERE project_id = $1 AND day = $2")
            .bind::<SqlUuid, _>(project.0)
            .bind::<Date, _>(day)
            .load(conn)
            .await?;
    let mut sets: BTreeMap<String, RoaringBitmap> = BTreeMap::new();
    for Part { event_type, users } in parts {
        *sets.entry(event_type).or_default() |= from_bytes(&users)?;
    }
    Ok(sets)
}

/// Who did what within `instants`; under the empty text, who did anything.
async fn sets_of(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
) -> Result<BTreeMap<String, RoaringBitmap>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = Integer)]
        user_no: i32,
    }
    let mut rows = diesel::sql_query(
        "SELECT event_type, user_no FROM events
         WHERE project_id = $1 AND occurred_at >= $2 AND occurred_at < $3",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Timestamptz, _>(instants.start)
    .bind::<Timestamptz, _>(instants.end)
    .load_stream::<Row>(conn)
    .await?;
    let mut sets: BTreeMap<String, RoaringBitmap> = BTreeMap::new();
    while let Some(Row { event_type, user_no }) = rows.try_next().await? {
        let user =
            UserNo::try_from(user_no).map_err(|e| StorageError::Corrupt(format!("a user number: {e}")))?;
        match sets.get_mut(&event_type) {
            Some(users) => {
                users.insert(user);
            }
            None => {
                sets.insert(event_type, RoaringBitmap::from_iter([user]));
            }
        }
    }
    let mut anybody = RoaringBitmap::new();
    for users in sets.values() {
        anybody |= users;
    }
    if !anybody.is_empty() {
        sets.insert(column(None).to_owned(), anybody);
    }
    Ok(sets)
}
