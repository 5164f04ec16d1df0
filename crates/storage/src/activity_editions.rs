//! Activity sets a day at a time, and how to tell whether a day has changed since.
//!
//! Sets arrive as a stream and are handed over one by one, so that years of days cost the memory of the answer and not of
//! everything read. Folding a set of a million users takes tens of microseconds on the thread that awaits the answer.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use millrace_domain::ids::ProjectId;
use roaring::RoaringBitmap;

use crate::activity::Users;
use crate::error::StorageError;
use crate::selected::Statement;

/// A day of an event type that somebody was active on. Two that are equal were read from the same rows.
///
/// A set is stored in parts: whoever adds one, merges some or takes a user out of one writes rows, and a row that is written has
/// another `xmin`. So this is exact, and costs a row for each part, without its set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditionOfDay {
    /// The column's spelling of the type.
    pub event_type: String,
    /// The day, in the project's own zone.
    pub day: NaiveDate,
    /// What the rows of its parts look like.
    pub edition: (i64, i64),
}

/// The editions of these types on the days from `from` until before `end`, in the project's own zone. A day without activity has
/// none.
///
/// # Errors
/// When the database fails.
pub async fn editions(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    types: &[&str],
    from: NaiveDate,
    end: NaiveDate,
) -> Result<Vec<EditionOfDay>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Text)]
        event_type: String,
        #[diesel(sql_type = sql_types::Date)]
        day: NaiveDate,
        #[diesel(sql_type = sql_types::BigInt)]
        parts: i64,
        #[diesel(sql_type = sql_types::BigInt)]
        rows: i64,
    }
    let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
    let rows: Vec<Row> = Statement::new(
        "SELECT event_type, day, count(*) AS parts, bit_xor(hashint8extended(xmin::text::bigint, part)) AS rows
         FROM activity WHERE project_id = ",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .sql(" AND event_type = ANY(")
    .bind::<sql_types::Array<sql_types::Text>, _>(types)
    .sql(") AND day >= ")
    .bind::<sql_types::Date, _>(from)
    .sql(" AND day < ")
    .bind::<sql_types::Date, _>(end)
    .sql(" GROUP BY 1, 2")
    .load(conn)
    .await?;
    let edition =
        |Row { event_type, day, parts, rows }| EditionOfDay { event_type, day, edition: (parts, rows) };
    Ok(rows.into_iter().map(edition).collect())
}

/// Hands over who was active on each of these days, one day after the other.
///
/// # Errors
/// When the database fails.
pub async fn load(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    days: &[EditionOfDay],
    mut take: impl FnMut(&EditionOfDay, RoaringBitmap),
) -> Result<(), StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::BigInt)]
        place: i64,
        #[diesel(sql_type = sql_types::Binary)]
        users: Users,
    }
    let types: Vec<String> = days.iter().map(|day| day.event_type.clone()).collect();
    let dates: Vec<NaiveDate> = days.iter().map(|day| day.day).collect();
    let mut parts = Statement::new("SELECT place, users FROM unnest(")
        .bind::<sql_types::Array<sql_types::Text>, _>(types)
        .sql(", ")
        .bind::<sql_types::Array<sql_types::Date>, _>(dates)
        .sql(") WITH ORDINALITY AS asked(event_type, day, place) JOIN activity USING (event_type, day) WHERE project_id = ")
        .bind::<sql_types::Uuid, _>(project.0)
        .sql(" ORDER BY place")
        .stream::<Row>(conn)
        .await?;
    let mut at: Option<(i64, RoaringBitmap)> = None;
    let mut done = |place: i64, users: RoaringBitmap| {
        if let Some(day) = usize::try_from(place - 1).ok().and_then(|place| days.get(place)) {
            take(day, users);
        }
    };
    while let Some(Row { place, users: Users(users) }) = parts.try_next().await? {
        at = Some(match at.take() {
            Some((same, gathered)) if same == place => (place, gathered | users),
            other => {
                if let Some((before, gathered)) = other {
                    done(before, gathered);
                }
                (place, users)
            }
        });
    }
    if let Some((last, gathered)) = at {
        done(last, gathered);
    }
    Ok(())
}
