//! Making the roll-ups from the events anew, while events keep coming.
//!
//! First it is noted where events and roll-ups differ, day by day ([`staging`]). Then, in one transaction, the roll-ups are
//! made right ([`swap`]): a reader sees the old ones or the new ones, never some of each.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Date, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;

use crate::error::StorageError;

pub mod staging;
pub mod swap;

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

/// The events that a project still has, and the roll-ups of which are made from them, are from this time on.
/// Whoever changes the time holds the lock that this takes, for as long as the transaction lasts.
pub(crate) async fn lock_events_since(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<Option<DateTime<Utc>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Nullable<Timestamptz>)]
        events_since: Option<DateTime<Utc>>,
    }
    diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended('books' || $1::text, 0))")
        .bind::<SqlUuid, _>(project.0)
        .execute(conn)
        .await?;
    // A statement of its own: it must see what whoever held the lock before has committed.
    let row: Option<Row> = diesel::sql_query("SELECT events_since FROM projects WHERE id = $1")
        .bind::<SqlUuid, _>(project.0)
        .get_result(conn)
        .await
        .optional()?;
    Ok(row.ok_or(StorageError::UnknownProject(project))?.events_since)
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
