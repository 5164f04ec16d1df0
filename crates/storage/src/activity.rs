//! Activity sets as they are stored: the portable [Roaring format](https://github.com/RoaringBitmap/RoaringFormatSpec),
//! so that any language can read them.
//!
//! Sets arrive as a stream and are folded one by one, so that years of days cost the memory of the answer and not of
//! everything read. Folding a set of a million users takes tens of microseconds on the thread that awaits the answer.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::interval::Interval;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use roaring::RoaringBitmap;

use crate::error::StorageError;
use crate::schema::activity;

/// The column's spelling of "any event": an event type is never empty.
const ANY: &str = "";

pub(crate) fn column(event_type: Option<&EventType>) -> &str {
    event_type.map_or(ANY, EventType::as_str)
}

pub(crate) fn to_bytes(users: &RoaringBitmap) -> Result<Vec<u8>, StorageError> {
    let mut bytes = Vec::with_capacity(users.serialized_size());
    users.serialize_into(&mut bytes).map_err(|e| StorageError::Failed(e.to_string()))?;
    Ok(bytes)
}

pub(crate) fn from_bytes(bytes: &[u8]) -> Result<RoaringBitmap, StorageError> {
    RoaringBitmap::deserialize_from(bytes).map_err(|e| StorageError::Corrupt(format!("an activity set: {e}")))
}

/// A set as it comes out of a row, without a copy of its bytes in between: a hundred KiB for each day of each question.
#[derive(FromSqlRow)]
struct Users(RoaringBitmap);

impl FromSql<sql_types::Binary, Pg> for Users {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(from_bytes(value.as_bytes())?))
    }
}

/// Who was active on the days of `range`, in the project's own zone: one set for each `interval` with any, on its
/// first date.
///
/// # Errors
/// When the database fails.
pub async fn load(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selector: &EventSelector,
    range: DateRange,
    interval: Interval,
) -> Result<Activity, StorageError> {
    let mut parts = activity::table
        .filter(activity::project_id.eq(project.0))
        .filter(activity::event_type.eq(column(selector.event_type())))
        .filter(activity::day.between(range.from(), range.to()))
        .select((activity::day, activity::users))
        .load_stream::<(NaiveDate, Users)>(conn)
        .await?;
    let mut loaded = Activity::default();
    while let Some((day, Users(users))) = parts.try_next().await? {
        loaded.extend([(interval.start_of(day), users)]);
    }
    Ok(loaded)
}

/// Who was active on any day before `day`, in the project's own zone.
///
/// # Errors
/// When the database fails.
pub async fn users_before(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selector: &EventSelector,
    day: NaiveDate,
) -> Result<RoaringBitmap, StorageError> {
    let mut parts = activity::table
        .filter(activity::project_id.eq(project.0))
        .filter(activity::event_type.eq(column(selector.event_type())))
        .filter(activity::day.lt(day))
        .select(activity::users)
        .load_stream::<Users>(conn)
        .await?;
    let mut seen = RoaringBitmap::new();
    while let Some(Users(users)) = parts.try_next().await? {
        seen |= users;
    }
    Ok(seen)
}

/// Who did each of these event types on the days of `range`, in the project's own zone. A type that nobody did is
/// left out.
///
/// # Errors
/// When the database fails.
pub async fn users_by_type(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    types: &[EventType],
    range: DateRange,
) -> Result<BTreeMap<String, RoaringBitmap>, StorageError> {
    let types: Vec<&str> = types.iter().map(EventType::as_str).collect();
    let mut parts = activity::table
        .filter(activity::project_id.eq(project.0))
        .filter(activity::event_type.eq_any(types))
        .filter(activity::day.between(range.from(), range.to()))
        .select((activity::event_type, activity::users))
        .load_stream::<(String, Users)>(conn)
        .await?;
    let mut sets = BTreeMap::<String, RoaringBitmap>::new();
    while let Some((event_type, Users(users))) = parts.try_next().await? {
        *sets.entry(event_type).or_default() |= users;
    }
    Ok(sets)
}
