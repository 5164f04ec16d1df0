//! The values of a property, and the events of each.

use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use futures_util::TryStreamExt;
use millrace_domain::analytics::filter::Selection;
use millrace_domain::analytics::trends::Breakdown;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::PropertyName;
use roaring::RoaringBitmap;

use super::{Scope, place_of};
use crate::counts::parse_count;
use crate::error::StorageError;
use crate::raw::user_no;
use crate::selected::Statement;

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

/// How much a look at all values may bring here.
pub struct Most<'a> {
    /// Entries: values, at points.
    pub entries: usize,
    /// Whether so many entries with so many users in all fit into memory.
    pub fit: &'a (dyn Fn(usize, u64) -> bool + Send + Sync),
}

/// The events of each point by the value of a property, whatever values there are; nothing when that would be more than
/// may be. For properties of few values this does with one look at the events what [`values`] and a measure do with two.
///
/// # Errors
/// When the database fails.
pub async fn by_value(
    conn: &mut AsyncPgConnection,
    scope: Scope<'_>,
    property: &PropertyName,
    with_users: bool,
    most: Most<'_>,
) -> Result<Option<Vec<Valued>>, StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Integer)]
        point: i32,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        value: Option<String>,
        #[diesel(sql_type = sql_types::BigInt)]
        events: i64,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Integer>)]
        user_no: Option<i32>,
    }
    let statement = Statement::new("SELECT width_bucket(occurred_at, ")
        .bind::<sql_types::Array<sql_types::Timestamptz>, _>(scope.starts.to_vec())
        .sql(") AS point, ")
        .property_text(property)
        .sql(if with_users {
            " AS value, 1::bigint AS events, user_no"
        } else {
            " AS value, count(*) AS events, NULL::integer AS user_no"
        })
        .of_events(scope.project, scope.instants)
        .and_selected(scope.events);
    let statement = match with_users {
        true => statement,
        false => statement
            .sql(" GROUP BY 1, 2 LIMIT ")
            .bind::<sql_types::BigInt, _>(i64::try_from(most.entries).unwrap_or(i64::MAX).saturating_add(1)),
    };
    let mut rows = statement.stream::<Row>(conn).await?;
    let mut distinct = 0;
    let mut found: HashMap<(usize, Option<String>), (u64, RoaringBitmap)> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        let (events, users) = found.entry((place_of(row.point)?, row.value)).or_default();
        *events += parse_count(row.events)?;
        if let Some(user) = row.user_no {
            distinct += u64::from(users.insert(user_no(user)?));
        }
        if found.len() > most.entries || !(most.fit)(found.len(), distinct) {
            return Ok(None);
        }
    }
    let valued = |((point, value), (events, users))| Valued { point, value, events, users };
    Ok(Some(found.into_iter().map(valued).collect()))
}
