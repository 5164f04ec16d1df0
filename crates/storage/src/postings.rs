//! Who did something when, a day of an event type at a time, and how to tell whether a day has changed since.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::pg::data_types::PgTimestamp;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use futures_util::TryStreamExt;
use millrace_domain::analytics::posting::Posting;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::{EventType, PropertyName};

use crate::counts::parse_count;
use crate::error::StorageError;
use crate::projects::Project;
use crate::raw::user_no;
use crate::selected::Statement;

pub mod building;
pub mod due;
pub mod stored;

/// PostgreSQL counts microseconds from 2000 on.
const SINCE_1970: i64 = 946_684_800_000_000;

/// Which events of a type a day has: two that are equal were read from the same rows.
///
/// Whoever stores events, or deletes some, changes rows of `event_counts` in the same transaction, and a row that is
/// changed has another `xmin`. So this is exact, and costs a row for each quarter of an hour. But for events that go for
/// their age: their counts may stay, and the project counts how often that happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// How many events.
    pub events: u64,
    /// What the rows that count them look like.
    pub rows: i64,
    /// How often events of the project have gone for their age, if some of this day may have.
    pub expiries: i64,
}

/// The fields of an [`Edition`], of rows of `event_counts`.
const EDITION: &str = "sum(count)::bigint AS events,
     bit_xor(hashint8extended(xmin::text::bigint, extract(epoch FROM bucket)::bigint)) AS rows";

/// The editions of each of `types` on each day, by type and day. `starts` are the days' midnights in UTC, and the one
/// after the last.
///
/// # Errors
/// When the database fails.
pub async fn editions(
    conn: &mut AsyncPgConnection,
    project: &Project,
    types: &[&EventType],
    starts: &[DateTime<Utc>],
) -> Result<Vec<Vec<Edition>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        event_type: String,
        #[diesel(sql_type = sql_types::Integer)]
        day: i32,
        #[diesel(sql_type = sql_types::BigInt)]
        events: i64,
        #[diesel(sql_type = sql_types::BigInt)]
        rows: i64,
    }
    let days = starts.len().saturating_sub(1);
    let mut editions = vec![vec![Edition::default(); days]; types.len()];
    let (Some(first), Some(last)) = (starts.first(), starts.last()) else { return Ok(editions) };
    let names: Vec<String> = types.iter().map(ToString::to_string).collect();
    let found: Vec<Row> = Statement::new("SELECT event_type, width_bucket(bucket, ")
        .bind::<sql_types::Array<sql_types::Timestamptz>, _>(starts.to_vec())
        .sql(") AS day, ")
        .sql(EDITION)
        .sql(" FROM event_counts WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.id.0)
        .sql(" AND event_type = ANY(")
        .bind::<sql_types::Array<sql_types::Text>, _>(names)
        .sql(") AND bucket >= ")
        .instant(*first)
        .sql(" AND bucket < ")
        .instant(*last)
        .sql(" GROUP BY 1, 2")
        .load(conn)
        .await?;
    for row in found {
        let place = types.iter().position(|event_type| event_type.as_str() == row.event_type);
        let day = usize::try_from(row.day).ok().and_then(|day| day.checked_sub(1));
        let edition = place.zip(day).and_then(|(place, day)| editions.get_mut(place)?.get_mut(day));
        if let Some(edition) = edition {
            let start = day.and_then(|day| starts.get(day));
            let aged = start.zip(project.events_since).is_some_and(|(start, since)| *start < since);
            let expiries = if aged { project.expiries } else { 0 };
            *edition = Edition { events: parse_count(row.events)?, rows: row.rows, expiries };
        }
    }
    Ok(editions)
}

/// The postings of a day by the text of a property, nothing being its absence; or one of all events.
pub type ByValue = Vec<(Option<String>, Posting)>;

/// What tells postings apart that are not all of a type together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct By {
    /// The property whose values do.
    pub property: PropertyName,
    /// Whether it matters when on its day an event was. If not, all are said to have been when it began, which takes less
    /// to read and to keep.
    pub times: bool,
}

/// The most postings that are read at once.
const MOST: usize = 100_000;

/// The postings of a type on consecutive days, by day: `by` the values of a property if one is given. `starts` as for
/// [`editions`]. Nothing when the property has so many values that there is no use in telling them apart.
///
/// # Errors
/// When the database fails.
pub async fn load(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
    by: Option<&By>,
    starts: &[DateTime<Utc>],
) -> Result<Option<Vec<ByValue>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Timestamptz)]
        day: DateTime<Utc>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        value: Option<String>,
        #[diesel(sql_type = sql_types::Array<sql_types::Integer>)]
        users: Vec<i32>,
        #[diesel(sql_type = sql_types::Array<sql_types::Timestamptz>)]
        times: Vec<PgTimestamp>,
    }
    let mut postings = vec![ByValue::new(); starts.len().saturating_sub(1)];
    let (Some(first), Some(last)) = (starts.first(), starts.last()) else { return Ok(Some(postings)) };
    let instants: Range<DateTime<Utc>> = *first..*last;
    let statement =
        Statement::new("SELECT date_bin('1 day', occurred_at, ").instant(*first).sql(") AS day, ");
    let statement = match by {
        None => statement.sql("NULL::text"),
        Some(by) => statement.property_text(&by.property),
    };
    let times = match by {
        Some(By { times: false, .. }) => "'{}'::timestamptz[]",
        _ => "array_agg(occurred_at)",
    };
    // There are few groups, and a sort by them would take longer than reading the events.
    conn.batch_execute("SET LOCAL enable_sort = off; SET LOCAL hash_mem_multiplier = 4").await?;
    let mut rows = statement
        .sql(" AS value, array_agg(user_no) AS users, ")
        .sql(times)
        .sql(" AS times")
        .of_events(project, &instants)
        .sql(" AND event_type = ")
        .text(event_type.as_str())
        .sql(" GROUP BY 1, 2 LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::try_from(MOST).unwrap_or(i64::MAX) + 1)
        .stream::<Row>(conn)
        .await?;
    let mut found = 0;
    while let Some(row) = rows.try_next().await? {
        found += 1;
        let users = row.users.into_iter().map(user_no).collect::<Result<Vec<_>, _>>()?;
        let place = starts.binary_search(&row.day).ok();
        let Some(by_value) = place.and_then(|place| postings.get_mut(place)) else {
            return Err(StorageError::Failed(format!("events of {} were not asked for", row.day)));
        };
        let posting = match row.times.is_empty() {
            true => Posting::at_once(users, row.day.timestamp_micros()),
            false => {
                let times = row.times.into_iter().map(|PgTimestamp(micros)| micros + SINCE_1970);
                Posting::new(users, times.collect())
            }
        };
        by_value.push((row.value, posting));
    }
    drop(rows);
    conn.batch_execute("SET LOCAL enable_sort = on; SET LOCAL hash_mem_multiplier TO DEFAULT").await?;
    Ok((found <= MOST).then_some(postings))
}
