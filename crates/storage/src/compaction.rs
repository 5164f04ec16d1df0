//! Merging the parts of activity sets, so that a question reads one row a day and not one a batch.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::{ProjectId, UserNo};
use roaring::RoaringBitmap;
use uuid::Uuid;

use crate::activity::{from_bytes, to_bytes};
use crate::error::StorageError;
use crate::rebuild;
use crate::schema::activity;

/// The part that the others are merged into.
const BASE: i64 = 0;

#[derive(QueryableByName)]
struct Set {
    #[diesel(sql_type = sql_types::Uuid)]
    project_id: Uuid,
    #[diesel(sql_type = sql_types::Text)]
    event_type: String,
    #[diesel(sql_type = sql_types::Date)]
    day: NaiveDate,
}

/// Merges the parts of at most `limit` sets and returns how many sets it merged; 0 also when another worker is at
/// it. Each set is its own transaction: a reader sees all parts or the merged one, never both and never neither.
///
/// # Errors
/// When the database fails; what was merged stays merged.
pub async fn compact(conn: &mut AsyncPgConnection, limit: i64) -> Result<usize, StorageError> {
    let sets: Vec<Set> = diesel::sql_query(
        "SELECT DISTINCT project_id, event_type, day FROM activity WHERE part > 0
         ORDER BY project_id, event_type, day LIMIT $1",
    )
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await?;
    let mut merged = 0;
    for set in sets {
        if conn.transaction(async |conn| merge(conn, &set, None).await).await? {
            merged += 1;
        }
    }
    Ok(merged)
}

/// Takes a user out of the sets of a project that come after `after`: looks at no more than `limit` of them, and returns
/// the last one it looked at. Nothing may add the user meanwhile.
///
/// # Errors
/// When the database fails, or another worker is at one of the sets; whatever was taken out is out.
pub async fn remove_user(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    user: UserNo,
    after: Option<&(String, NaiveDate)>,
    limit: i64,
) -> Result<Option<(String, NaiveDate)>, StorageError> {
    let sets: Vec<Set> = diesel::sql_query(
        "SELECT DISTINCT project_id, event_type, day FROM activity
         WHERE project_id = $1 AND ($2::text IS NULL OR (event_type, day) > ($2, $3::date))
         ORDER BY event_type, day LIMIT $4",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(after.map(|(event_type, _)| event_type))
    .bind::<sql_types::Nullable<sql_types::Date>, _>(after.map(|(_, day)| *day))
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await?;
    for set in &sets {
        let parts: Vec<Vec<u8>> = activity::table
            .filter(activity::project_id.eq(set.project_id))
            .filter(activity::event_type.eq(&set.event_type))
            .filter(activity::day.eq(set.day))
            .select(activity::users)
            .load(conn)
            .await?;
        let mut is_in = false;
        for part in &parts {
            is_in |= from_bytes(part)?.contains(user);
        }
        if is_in && !conn.transaction(async |conn| merge(conn, set, Some(user)).await).await? {
            return Err(StorageError::Unavailable("another worker merges a set of the user".to_owned()));
        }
    }
    Ok(sets.last().map(|set| (set.event_type.clone(), set.day)))
}

/// Merges the parts of a set, `without` a user. `false` when another worker is at it.
async fn merge(
    conn: &mut AsyncPgConnection,
    set: &Set,
    without: Option<UserNo>,
) -> Result<bool, StorageError> {
    if !rebuild::leave_sets_alone(conn, ProjectId(set.project_id)).await? {
        return Ok(false);
    }
    // Whoever holds the lock merges; parts that arrive meanwhile wait for the next round.
    #[derive(QueryableByName)]
    struct Locked {
        #[diesel(sql_type = sql_types::Bool)]
        locked: bool,
    }
    let lock: Locked = diesel::sql_query(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1::text || $2 || $3::text, 0)) AS locked",
    )
    .bind::<sql_types::Uuid, _>(set.project_id)
    .bind::<sql_types::Text, _>(&set.event_type)
    .bind::<sql_types::Date, _>(set.day)
    .get_result(conn)
    .await?;
    if !lock.locked {
        return Ok(false);
    }
    let parts: Vec<Vec<u8>> = diesel::delete(activity::table)
        .filter(activity::project_id.eq(set.project_id))
        .filter(activity::event_type.eq(&set.event_type))
        .filter(activity::day.eq(set.day))
        .returning(activity::users)
        .get_results(conn)
        .await?;
    let mut users = RoaringBitmap::new();
    for part in &parts {
        users |= from_bytes(part)?;
    }
    if let Some(user) = without {
        users.remove(user);
    }
    if users.is_empty() {
        return Ok(true);
    }
    users.optimize();
    diesel::insert_into(activity::table)
        .values((
            activity::project_id.eq(set.project_id),
            activity::event_type.eq(&set.event_type),
            activity::day.eq(set.day),
            activity::part.eq(BASE),
            activity::users.eq(to_bytes(&users)?),
        ))
        .execute(conn)
        .await?;
    Ok(true)
}
