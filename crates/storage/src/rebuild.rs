//! Making the roll-ups from the events anew, while events keep coming.
//!
//! First it is noted where events and roll-ups differ, day by day ([`staging`]). Then, in one transaction, the roll-ups are
//! made right ([`swap`]): a reader sees the old ones or the new ones, never some of each.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Date, Integer, Nullable, Timestamptz, Uuid as SqlUuid};
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
