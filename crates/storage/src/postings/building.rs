//! Making the stored postings of a day from its events.
//!
//! A day is read at one moment, together with its edition, and stored if it still has that edition then. An append never
//! waits for this; whoever takes events away stops it for a moment first ([`stored::stop_storing`]).

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Integer, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncPgConnection, RunQueryDsl, TransactionManager,
};
use futures_util::TryStreamExt;
use millrace_domain::analytics::posting::{Parts, Posting};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;

use super::stored::{self, Day};
use super::{Edition, editions};
use crate::error::StorageError;
use crate::projects::{self, Project};
use crate::raw::user_no;

/// A day with more events of a type than this is left to be read from the events: its postings would be held in the
/// memory of the worker, in about six bytes an event.
pub(super) const MOST_EVENTS: u64 = 5_000_000;

/// Stores the postings of the day that begins at `start`, a midnight in UTC. `false`: there is nothing to store, events of
/// the day came or went meanwhile, or another worker is at it.
///
/// # Errors
/// When the database fails.
pub async fn build(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
    start: DateTime<Utc>,
) -> Result<bool, StorageError> {
    let bounds = [start, start + TimeDelta::days(1)];
    let one_moment = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    AnsiTransactionManager::begin_transaction_sql(conn, one_moment).await?;
    let read = read(conn, project, event_type, bounds).await;
    AnsiTransactionManager::rollback_transaction(conn).await?;
    let Some((edition, parts)) = read? else { return Ok(false) };
    conn.transaction(async |conn| {
        stored::begin_storing(conn, project).await?;
        let Some(project) = projects::find(conn, project).await? else { return Ok(false) };
        let stands = edition_of(conn, &project, event_type, bounds).await? == edition;
        // Of the days from which events have gone for their age none is stored: they may go without their counts.
        let is_whole = project.events_since.is_none_or(|since| since <= start);
        if stands && is_whole {
            let day = Day { event_type: event_type.clone(), start, edition };
            stored::replace(conn, project.id, &day, &parts).await?;
        }
        Ok(stands && is_whole)
    })
    .await
}

async fn read(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
    bounds: [DateTime<Utc>; 2],
) -> Result<Option<(Edition, Vec<Posting>)>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Integer)]
        user_no: i32,
        #[diesel(sql_type = Timestamptz)]
        occurred_at: DateTime<Utc>,
    }
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = Bool)]
        locked: bool,
    }
    let lock: Locked = diesel::sql_query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('posting' || $1::text || $2 || $3::text, 0)) AS locked",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Text, _>(event_type.as_str())
    .bind::<Timestamptz, _>(bounds[0])
    .get_result(conn)
    .await?;
    if !lock.locked {
        return Ok(None);
    }
    let Some(of) = projects::find(conn, project).await? else { return Ok(None) };
    let edition = edition_of(conn, &of, event_type, bounds).await?;
    if !(1..=MOST_EVENTS).contains(&edition.events) {
        return Ok(None);
    }
    // By `abs` for the reason that `user_events` gives.
    let mut rows = diesel::sql_query(
        "SELECT user_no, occurred_at FROM events
         WHERE project_id = $1 AND event_type = $2 AND occurred_at >= $3 AND occurred_at < $4
         ORDER BY abs(user_no), occurred_at",
    )
    .bind::<SqlUuid, _>(project.0)
    .bind::<Text, _>(event_type.as_str())
    .bind::<Timestamptz, _>(bounds[0])
    .bind::<Timestamptz, _>(bounds[1])
    .load_stream::<Row>(conn)
    .await?;
    let mut parts = Parts::default();
    while let Some(row) = rows.try_next().await? {
        parts.push(user_no(row.user_no)?, row.occurred_at.timestamp_micros());
    }
    Ok(Some((edition, parts.finish())))
}

async fn edition_of(
    conn: &mut AsyncPgConnection,
    project: &Project,
    event_type: &EventType,
    bounds: [DateTime<Utc>; 2],
) -> Result<Edition, StorageError> {
    let editions = editions(conn, project, &[event_type], &bounds).await?;
    Ok(editions.into_iter().flatten().next().unwrap_or_default())
}
