//! Activity sets a day at a time, and how to tell whether a day has changed since.
//!
//! Sets arrive as a stream and are handed over one by one, so that years of days cost the memory of the answer and not of
//! everything read. Folding a set of a million users takes tens of microseconds on the thread that awaits the answer.

use chrono::NaiveDate;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;
use millrace_domain::ids::ProjectId;
use roaring::RoaringBitmap;
use uuid::Uuid;

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
    let editions = Editions { project: project.0, types, from, end };
    let rows: Vec<(String, NaiveDate, i64, i64)> = editions.load(conn).await?;
    let edition = |(event_type, day, parts, rows)| EditionOfDay { event_type, day, edition: (parts, rows) };
    Ok(rows.into_iter().map(edition).collect())
}

/// Asked with every question about sets, so it stays prepared: its text is always the same.
struct Editions<'a> {
    project: Uuid,
    types: &'a [&'a str],
    from: NaiveDate,
    end: NaiveDate,
}

impl QueryId for Editions<'_> {
    type QueryId = Editions<'static>;

    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for Editions<'_> {
    type SqlType = (sql_types::Text, sql_types::Date, sql_types::BigInt, sql_types::BigInt);
}

impl QueryFragment<Pg> for Editions<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "SELECT event_type, day, count(*), bit_xor(hashint8extended(xmin::text::bigint, part))
             FROM activity WHERE project_id = ",
        );
        out.push_bind_param::<sql_types::Uuid, _>(&self.project)?;
        out.push_sql(" AND event_type = ANY(");
        out.push_bind_param::<sql_types::Array<sql_types::Text>, _>(&self.types)?;
        out.push_sql(") AND day >= ");
        out.push_bind_param::<sql_types::Date, _>(&self.from)?;
        out.push_sql(" AND day < ");
        out.push_bind_param::<sql_types::Date, _>(&self.end)?;
        out.push_sql(" GROUP BY 1, 2");
        Ok(())
    }
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
    if days.is_empty() {
        return Ok(());
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
    let mut done = |place: i64, mut users: RoaringBitmap| {
        // Stored as runs where that is shorter; but sets of runs are put together a run at a time.
        users.remove_run_compression();
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
