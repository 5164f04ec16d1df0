//! Measures of events by points of time and by the values of a property, from the events themselves.
//!
//! Points are given to the server as the instants at which they begin; which days and hours these are is the domain's
//! affair (ADR 11). Distinct users are sent as the numbers that they are, one by one, and become sets here: the server would
//! sort them to tell them apart, and gathered in arrays they would take as much memory as the events.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::PropertyName;
use roaring::RoaringBitmap;

use crate::counts::parse_count;
use crate::error::StorageError;
use crate::raw::user_no;
use crate::selected::Statement;

mod by_value;
mod statistics;

pub use by_value::{Most, Valued, by_value, values};
pub use statistics::{Figure, statistics};

/// Events of a project, cut into points of time.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Whose events.
    pub project: ProjectId,
    /// Which of them.
    pub events: &'a Selection,
    /// From when until when.
    pub instants: &'a Range<DateTime<Utc>>,
    /// Where points begin, the first of them where `instants` do.
    pub starts: &'a [DateTime<Utc>],
    /// What the events are told apart by, and the values that are told apart.
    pub by: Option<(&'a PropertyName, &'a [Option<String>])>,
}

/// What the events are told apart by: the place of a value among those asked for, or the number of them for all other
/// values together. 0 where nothing is told apart.
pub type Group = usize;

/// A measure of a point, or of all of them together.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured<T> {
    /// The place of the point; nothing for all of them together.
    pub point: Option<usize>,
    /// Of these events.
    pub group: Group,
    /// The measure.
    pub value: T,
}

/// How many events there are in each point.
///
/// # Errors
/// When the database fails.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
) -> Result<Vec<Measured<u64>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        point: i32,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        place: Option<i32>,
        #[diesel(sql_type = sql_types::BigInt)]
        count: i64,
    }
    let rows: Vec<Row> = scope
        .select()
        .sql(", count(*) AS count")
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events)
        .sql(" GROUP BY 1, 2")
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let point = Some(place_of(row.point)?);
            Ok(Measured { point, group: scope.group(row.place)?, value: parse_count(row.count)? })
        })
        .collect()
}

/// Who the users of each point are.
///
/// # Errors
/// When the database fails.
pub async fn users(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
) -> Result<Vec<Measured<RoaringBitmap>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        point: i32,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        place: Option<i32>,
        #[diesel(sql_type = sql_types::Integer)]
        user_no: i32,
    }
    let statement =
        scope.select().sql(", user_no").of_events(scope.project, scope.instants).and_selected(scope.events);
    let mut rows = statement.stream::<Row>(conn).await?;
    let mut users: BTreeMap<(usize, Group), RoaringBitmap> = BTreeMap::new();
    while let Some(row) = rows.try_next().await? {
        let key = (place_of(row.point)?, scope.group(row.place)?);
        users.entry(key).or_default().insert(user_no(row.user_no)?);
    }
    let measured = |((point, group), value)| Measured { point: Some(point), group, value };
    Ok(users.into_iter().map(measured).collect())
}

impl Scope<'_> {
    fn select(&self) -> Statement<'static> {
        self.select_after(Statement::new("SELECT "))
    }

    /// Goes on with the point of an event, counted from 1, and the place of its value, counted from 1 and null for a
    /// value that is not told apart.
    fn select_after(&self, statement: Statement<'static>) -> Statement<'static> {
        let point = statement
            .sql("width_bucket(occurred_at, ")
            .bind::<sql_types::Array<sql_types::Timestamptz>, _>(self.starts.to_vec())
            .sql(") AS point, ");
        match self.by {
            None => point.sql("1 AS place"),
            // Of an array, array_position finds null as well.
            Some((property, values)) => point
                .sql("array_position(")
                .bind::<sql_types::Array<sql_types::Nullable<sql_types::Text>>, _>(values.to_vec())
                .sql(", ")
                .property_text(property)
                .sql(") AS place"),
        }
    }

    fn group(&self, place: Option<i32>) -> Result<Group, StorageError> {
        match place {
            Some(place) => place_of(place),
            None => Ok(self.by.map_or(0, |(_, values)| values.len())),
        }
    }
}

/// Places are counted from 1 in SQL, and from 0 here.
fn place_of(counted: i32) -> Result<usize, StorageError> {
    usize::try_from(counted)
        .ok()
        .and_then(|place| place.checked_sub(1))
        .ok_or_else(|| StorageError::Failed(format!("an event stands before the first point: {counted}")))
}
