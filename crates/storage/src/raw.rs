//! Answers from the events themselves, for what the roll-ups cannot answer: another zone's days, or a period that
//! does not begin and end with a day.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::analytics::activity::Activity;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::ids::{ProjectId, UserNo};

use crate::error::StorageError;

#[derive(QueryableByName)]
struct DayUser {
    #[diesel(sql_type = sql_types::Integer)]
    day: i32,
    #[diesel(sql_type = sql_types::Integer)]
    user_no: i32,
}

/// Who was active on the days of `range` in `zone`, counting only events within `instants`.
///
/// The days' boundaries are computed here and handed over, so that the zone database of this program decides and
/// not the server's, which may be another version.
///
/// # Errors
/// When the database fails.
pub async fn activity(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selector: &EventSelector,
    range: DateRange,
    zone: TimeZone,
    instants: &Range<DateTime<Utc>>,
) -> Result<Activity, StorageError> {
    let days: Vec<NaiveDate> = range.days().collect();
    let starts: Vec<DateTime<Utc>> = days.iter().map(|day| zone.day_start(*day)).collect();
    let from = instants.start.max(zone.day_start(range.from()));
    let to = instants.end.min(zone.day_start(range.end()));
    let rows: Vec<DayUser> = diesel::sql_query(
        "SELECT width_bucket(occurred_at, $1) AS day, user_no FROM events
         WHERE project_id = $2 AND occurred_at >= $3 AND occurred_at < $4 AND ($5 IS NULL OR event_type = $5)
         GROUP BY 1, 2",
    )
    .bind::<sql_types::Array<sql_types::Timestamptz>, _>(starts)
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Timestamptz, _>(from)
    .bind::<sql_types::Timestamptz, _>(to)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(selector.event_type().map(|t| t.as_str()))
    .load(conn)
    .await?;
    let pairs = rows.iter().filter_map(|row| {
        // `width_bucket` counts from 1.
        let day = usize::try_from(row.day).ok()?.checked_sub(1).and_then(|index| days.get(index))?;
        Some((*day, UserNo::try_from(row.user_no).ok()?))
    });
    let mut activity = Activity::default();
    activity.extend(pairs);
    Ok(activity)
}

/// Events and distinct users of one type.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct TypeTotals {
    /// The event type.
    #[diesel(sql_type = sql_types::Text)]
    pub event_type: String,
    /// How many events.
    #[diesel(sql_type = sql_types::BigInt)]
    pub count: i64,
    /// By how many distinct users.
    #[diesel(sql_type = sql_types::BigInt)]
    pub users: i64,
}

/// The most frequent event types within `instants`, by count, then by name.
///
/// # Errors
/// When the database fails.
pub async fn top(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    instants: &Range<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<TypeTotals>, StorageError> {
    Ok(diesel::sql_query(
        "SELECT event_type, count(*) AS count, count(DISTINCT user_no) AS users FROM events
         WHERE project_id = $1 AND occurred_at >= $2 AND occurred_at < $3
         GROUP BY event_type ORDER BY count DESC, event_type COLLATE \"C\" LIMIT $4",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Timestamptz, _>(instants.start)
    .bind::<sql_types::Timestamptz, _>(instants.end)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await?)
}
