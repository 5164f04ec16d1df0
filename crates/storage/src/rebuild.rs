//! Making the roll-ups from the events anew, while events keep coming.
//!
//! Counts are corrected by what they are off: one statement sees the events and the counts of the same commits, because
//! an append commits both together, and adds the difference. What is appended meanwhile is added on top, as always. Sets
//! are replaced day by day: the parts that are there before the events are read go, the set that was read takes their
//! place, and parts that arrive meanwhile stay beside it, because a set is the union of its parts.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Date, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{ProjectId, UserNo};
use roaring::RoaringBitmap;
use std::collections::BTreeMap;

use crate::activity::to_bytes;
use crate::erasure::sweep_counts;
use crate::error::StorageError;
use crate::jobs::holding::Note;
use crate::postings::stored;

/// The sets of a project are not to be merged while they are replaced. Mergers share this; `false`: not now.
pub(crate) async fn leave_sets_alone(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<bool, StorageError> {
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = Bool)]
        locked: bool,
    }
    let lock: Locked = diesel::sql_query(
        "SELECT pg_try_advisory_xact_lock_shared(hashtextextended('activity' || $1::text, 0)) AS locked",
    )
    .bind::<SqlUuid, _>(project.0)
    .get_result(conn)
    .await?;
    Ok(lock.locked)
}

/// What roll-ups are made from, and for which zone.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub(crate) struct Books {
    /// The events that the project still has, and the roll-ups of which are made from them, are from this time on.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    events_since: Option<DateTime<Utc>>,
    /// How often it has got another zone.
    #[diesel(sql_type = Integer)]
    zone_changes: i32,
}

/// The books of a project. Whoever changes the time holds the lock that this takes, for as long as the transaction lasts.
pub(crate) async fn lock_books(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<Books, StorageError> {
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('books' || $1::text, 0))")
        .bind::<SqlUuid, _>(project.0)
        .execute(conn)
        .await?;
    // A statement of its own: it must see what whoever held the lock before has committed.
    let books = diesel::sql_query("SELECT events_since, zone_changes FROM projects WHERE id = $1")
        .bind::<SqlUuid, _>(project.0)
        .get_result(conn)
        .await
        .optional()?;
    books.ok_or(StorageError::UnknownProject(project))
}

/// The time that events and roll-ups of a project cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first event, or the first bucket.
    pub first: DateTime<Utc>,
    /// The last event, or the last bucket.
    pub last: DateTime<Utc>,
    /// The first and the last local day that has a set.
    pub days: Option<(NaiveDate, NaiveDate)>,
}

/// What there is to rebuild; `None` where there is nothing at all. Looks at every event.
///
/// # Errors
/// When the database fails.
pub async fn span(conn: &mut AsyncPgConnection, project: ProjectId) -> Result<Option<Span>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        first: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        last: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Date>)]
        first_day: Option<NaiveDate>,
        #[diesel(sql_type = Nullable<Date>)]
        last_day: Option<NaiveDate>,
    }
    let row: Row = diesel::sql_query(
        "SELECT least(e.first, c.first) AS first, greatest(e.last, c.last) AS last, first_day, last_day
         FROM (SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM events WHERE project_id = $1) AS e,
              (SELECT min(bucket) AS first, max(bucket) AS last FROM event_counts WHERE project_id = $1) AS c,
              (SELECT min(day) AS first_day, max(day) AS last_day FROM activity WHERE project_id = $1) AS a",
    )
    .bind::<SqlUuid, _>(project.0)
    .get_result(conn)
    .await?;
    Ok(row.first.zip(row.last).map(|(first, last)| Span {
        first,
        last,
        days: row.first_day.zip(row.last_day),
    }))
}

/// Corrects the counts of the buckets within `instants`, which must begin and end with one. Returns how many were off.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn recount(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    note: Note<'_>,
) -> Result<u64, StorageError> {
    conn.transaction(async |conn| {
        let since = lock_books(conn, project).await?.events_since;
        let from = since.map_or(instants.start, |since| since.max(instants.start));
        let corrected = diesel::sql_query(
            "WITH recount AS
                 (SELECT time_bucket('15 minutes', occurred_at) AS bucket, event_type, count(*) AS count FROM events
                  WHERE project_id = $1 AND occurred_at >= $2 AND occurred_at < $3 GROUP BY 1, 2),
             stored AS
                 (SELECT bucket, event_type, count FROM event_counts
                  WHERE project_id = $1 AND bucket >= $2 AND bucket < $3)
             INSERT INTO event_counts (project_id, bucket, event_type, count)
             SELECT $1, bucket, event_type, coalesce(recount.count, 0) - coalesce(stored.count, 0)
             FROM recount FULL JOIN stored USING (bucket, event_type)
             WHERE recount.count IS DISTINCT FROM stored.count
             ORDER BY bucket, event_type COLLATE \"C\"
             ON CONFLICT (project_id, bucket, event_type)
             DO UPDATE SET count = event_counts.count + excluded.count",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(instants.end)
        .execute(conn)
        .await?;
        if corrected > 0 {
            sweep_counts(conn, project, from, instants.end).await?;
        }
        stored::delete(conn, project, Some(from), instants.end).await?;
        // Two attempts must not both add what they found missing: only one of them still holds the job. Last, because
        // whoever renews the hold waits from here on.
        note.write(conn).await?;
        Ok(u64::try_from(corrected).unwrap_or(u64::MAX))
    })
    .await
}

/// Replaces the sets of one local day by what the events say, in one transaction. A day of which events have been
/// dropped stays as it is. Returns how many sets the day has; `None`, and nothing was done, when the project has got
/// another zone since it had got one `zone_changes` times.
///
/// # Errors
/// When the database fails, or the job is not held.
pub async fn replace_sets(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    (zone, zone_changes): (TimeZone, i32),
    day: NaiveDate,
    note: Note<'_>,
) -> Result<Option<u64>, StorageError> {
    #[derive(QueryableByName)]
    struct Part {
        #[diesel(sql_type = Text)]
        event_type: String,
        #[diesel(sql_type = BigInt)]
        part: i64,
    }
    conn.transaction(async |conn| {
        let books = lock_books(conn, project).await?;
        if books.zone_changes != zone_changes {
            return Ok(None);
        }
        let next = day.succ_opt().unwrap_or(day);
        let instants = zone.day_start(day)..zone.day_start(next);
        if books.events_since.is_some_and(|since| instants.start < since) {
            note.write(conn).await?;
            return Ok(Some(0));
        }
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('activity' || $1::text, 0))")
            .bind::<SqlUuid, _>(project.0)
            .execute(conn)
            .await?;
        // First the parts, then the events: whatever a part says that is removed was in the events by then.
        let parts: Vec<Part> =
            diesel::sql_query("SELECT event_type, part FROM activity WHERE project_id = $1 AND day = $2")
                .bind::<SqlUuid, _>(project.0)
                .bind::<Date, _>(day)
                .load(conn)
                .await?;
        let sets = sets_of(conn, project, &instants).await?;
        let (types, numbers): (Vec<String>, Vec<i64>) =
            parts.into_iter().map(|part| (part.event_type, part.part)).unzip();
        diesel::sql_query(
            "DELETE FROM activity USING unnest($3::text[], $4::bigint[]) AS gone(event_type, part)
             WHERE activity.project_id = $1 AND activity.day = $2 AND activity.event_type = gone.event_type
               AND activity.part = gone.part",
        )
        .bind::<SqlUuid, _>(project.0)
        .bind::<Date, _>(day)
        .bind::<Array<Text>, _>(types)
        .bind::<Array<BigInt>, _>(numbers)
        .execute(conn)
        .await?;
        let count = u64::try_from(sets.len()).unwrap_or(u64::MAX);
        for (event_type, mut users) in sets {
            users.optimize();
            diesel::sql_query(
                "INSERT INTO activity (project_id, event_type, day, part, users) VALUES ($1, $2, $3, 0, $4)",
            )
            .bind::<SqlUuid, _>(project.0)
            .bind::<Text, _>(event_type)
            .bind::<Date, _>(day)
            .bind::<diesel::sql_types::Binary, _>(to_bytes(&users)?)
            .execute(conn)
            .await?;
        }
        note.write(conn).await?;
        Ok(Some(count))
    })
    .await
}

/// Every set of a project has been replaced since it had got another zone `zone_changes` times, and appends use that
/// zone: the sets can be read. `false` when it has got another one meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn sets_are_made(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    zone_changes: i32,
) -> Result<bool, StorageError> {
    let made = diesel::sql_query("UPDATE projects SET sets_changes = $2 WHERE id = $1 AND zone_changes = $2")
        .bind::<SqlUuid, _>(project.0)
        .bind::<Integer, _>(zone_changes)
        .execute(conn)
        .await?;
    Ok(made > 0)
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
        sets.insert(crate::activity::column(None).to_owned(), anybody);
    }
    Ok(sets)
}
