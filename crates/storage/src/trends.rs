//! Measures of events by points of time and by the values of a property, from the events themselves.
//!
//! Points are given to the server as the instants at which they begin; which days and hours these are is the domain's
//! affair (ADR 11). Distinct users are sent as the numbers that they are and become sets here: the server would sort
//! them to tell them apart.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::trends::{Breakdown, Statistic};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::PropertyName;
use roaring::RoaringBitmap;

use crate::counts::parse_count;
use crate::error::StorageError;
use crate::raw::user_no;
use crate::selected::Statement;

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

/// A statistic, and how many events had nothing to contribute to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The statistic; nothing of no numbers, but 0 for a sum.
    pub value: Option<f64>,
    /// The events where the property is no number.
    pub left_out: u64,
}

/// The values of a property with the most events over all `selections` together, most first, then by value; at most as
/// many as the breakdown says, and whether there are more.
///
/// # Errors
/// When the database fails.
pub async fn values(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    selections: &[&Selection],
    instants: &Range<DateTime<Utc>>,
    breakdown: &Breakdown,
) -> Result<(Vec<Option<String>>, bool), StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        value: Option<String>,
    }
    let mut statement = Statement::new("SELECT value FROM (");
    for (place, selection) in selections.iter().enumerate() {
        statement = statement
            .sql(if place > 0 { " UNION ALL SELECT " } else { "SELECT " })
            .property_text(&breakdown.property)
            .sql(" AS value, count(*) AS events")
            .of_events(project, instants)
            .and_selected(selection)
            .sql(" GROUP BY 1");
    }
    let most = usize::from(breakdown.values);
    let rows: Vec<Row> = statement
        .sql(") counted GROUP BY value ORDER BY sum(events) DESC, value COLLATE \"C\" NULLS FIRST LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::from(breakdown.values) + 1)
        .load(conn)
        .await?;
    let more = rows.len() > most;
    Ok((rows.into_iter().take(most).map(|row| row.value).collect(), more))
}

/// The events of a point with one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Valued {
    /// The place of the point.
    pub point: usize,
    /// The value as text; nothing where the property is absent or `null`.
    pub value: Option<String>,
    /// How many events.
    pub events: u64,
    /// Their users, when they were asked for.
    pub users: RoaringBitmap,
}

/// The events of each point by the value of a property, whatever values there are; nothing when these would be more than
/// `most` entries. For properties of few values this does with one look at the events what [`values`] and a measure do
/// with two.
///
/// # Errors
/// When the database fails.
pub async fn by_value(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
    property: &PropertyName,
    with_users: bool,
    most: u32,
) -> Result<Option<Vec<Valued>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        point: i32,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        value: Option<String>,
        #[diesel(sql_type = sql_types::BigInt)]
        events: i64,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Array<sql_types::Integer>>)]
        users: Option<Vec<i32>>,
    }
    let users = if with_users { "array_agg(user_no)" } else { "NULL::integer[]" };
    let statement = Statement::new("SELECT width_bucket(occurred_at, ")
        .bind::<sql_types::Array<sql_types::Timestamptz>, _>(scope.starts.to_vec())
        .sql(") AS point, ")
        .property_text(property)
        .sql(" AS value, count(*) AS events, ")
        .sql(users)
        .sql(" AS users")
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events)
        .sql(" GROUP BY 1, 2 LIMIT ")
        .bind::<sql_types::BigInt, _>(i64::from(most) + 1);
    let mut rows = statement.stream::<Row>(conn).await?;
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let users = row.users.unwrap_or_default().into_iter().map(user_no);
        found.push(Valued {
            point: place_of(row.point)?,
            value: row.value,
            events: parse_count(row.events)?,
            users: users.collect::<Result<_, _>>()?,
        });
    }
    Ok(u32::try_from(found.len()).is_ok_and(|found| found <= most).then_some(found))
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
        #[diesel(sql_type = sql_types::Array<sql_types::Integer>)]
        users: Vec<i32>,
    }
    let statement = scope
        .select()
        .sql(", array_agg(user_no) AS users")
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events)
        .sql(" GROUP BY 1, 2");
    let mut rows = statement.stream::<Row>(conn).await?;
    let mut measured = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let users = row.users.into_iter().map(user_no).collect::<Result<RoaringBitmap, _>>()?;
        let point = Some(place_of(row.point)?);
        measured.push(Measured { point, group: scope.group(row.place)?, value: users });
    }
    Ok(measured)
}

/// A statistic of a property in each point, and over all points together.
///
/// # Errors
/// When the database fails.
pub async fn statistics(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
    statistic: Statistic,
    property: &PropertyName,
) -> Result<Vec<Measured<Figure>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        point: Option<i32>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        place: Option<i32>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Double>)]
        value: Option<f64>,
        #[diesel(sql_type = sql_types::BigInt)]
        left_out: i64,
    }
    // Sums and means are made of exact decimal numbers and rounded once, at the end.
    let aggregate = match statistic {
        Statistic::Sum => "COALESCE(sum(number), 0)",
        Statistic::Avg => "avg(number)",
        Statistic::Min => "min(number)",
        Statistic::Max => "max(number)",
        Statistic::Percentile(_) => "percentile_cont(",
    };
    let statement = Statement::new("SELECT point, place, ").sql(aggregate);
    let statement = match statistic {
        Statistic::Percentile(percent) => statement
            .bind::<sql_types::Double, _>(f64::from(percent) / 100.0)
            .sql(") WITHIN GROUP (ORDER BY number::float8)"),
        _ => statement,
    };
    let rows: Vec<Row> = scope
        .select_after(statement.sql("::float8 AS value, count(*) - count(number) AS left_out FROM (SELECT "))
        .sql(", ")
        .property_number(property)
        .sql(" AS number")
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events)
        .sql(") numbers GROUP BY GROUPING SETS ((point, place), (place))")
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let value = Figure { value: row.value, left_out: parse_count(row.left_out)? };
            let point = row.point.map(place_of).transpose()?;
            Ok(Measured { point, group: scope.group(row.place)?, value })
        })
        .collect()
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
