//! Activity sets as they are stored: the portable [Roaring format](https://github.com/RoaringBitmap/RoaringFormatSpec),
//! so that any language can read them.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
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

/// Who was active on the days of `range`, in the project's own zone.
///
/// # Errors
/// When the database fails.
pub async fn load(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selector: &EventSelector,
    range: DateRange,
) -> Result<Activity, StorageError> {
    let parts: Vec<(NaiveDate, Vec<u8>)> = activity::table
        .filter(activity::project_id.eq(project.0))
        .filter(activity::event_type.eq(column(selector.event_type())))
        .filter(activity::day.between(range.from(), range.to()))
        .select((activity::day, activity::users))
        .load(conn)
        .await?;
    let mut loaded = Activity::default();
    for (day, bytes) in parts {
        loaded.extend([(day, from_bytes(&bytes)?)]);
    }
    Ok(loaded)
}

/// How many distinct users did each event type on the days of `range`.
///
/// # Errors
/// When the database fails.
pub async fn users_by_type(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    types: &[&str],
    range: DateRange,
) -> Result<Vec<(String, u64)>, StorageError> {
    let parts: Vec<(String, Vec<u8>)> = activity::table
        .filter(activity::project_id.eq(project.0))
        .filter(activity::event_type.eq_any(types))
        .filter(activity::day.between(range.from(), range.to()))
        .select((activity::event_type, activity::users))
        .load(conn)
        .await?;
    let mut sets = std::collections::BTreeMap::<String, RoaringBitmap>::new();
    for (event_type, bytes) in parts {
        *sets.entry(event_type).or_default() |= from_bytes(&bytes)?;
    }
    Ok(sets.into_iter().map(|(event_type, users)| (event_type, users.len())).collect())
}
