//! Which properties events have, and which values.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::ids::ProjectId;

use crate::counts::parse_count;
use crate::error::StorageError;
use crate::selected::Statement;

/// A property among the events looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Property {
    /// Events that have it.
    pub events: u64,
    /// Its JSON types, with the events that have each.
    pub types: BTreeMap<String, u64>,
    /// The most frequent values, as text, with their events; by number, then by text.
    pub values: Vec<(String, u64)>,
}

/// Event types that are looked at when none is asked for.
const TYPES: i64 = 100;

/// The properties of the latest `events` events of a type, by name, each with its `values` most frequent values; of lists
/// and objects only the type is told. Of any event: of the latest of each of the most frequent types. And how many
/// events were looked at: an index finds the latest of a type, so that is all that is read.
///
/// # Errors
/// When the database fails.
pub async fn of_latest(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event: &EventSelector,
    events: u32,
    values: u32,
) -> Result<(BTreeMap<String, Property>, u64), StorageError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        name: Option<String>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        json_type: Option<String>,
        #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
        value: Option<String>,
        #[diesel(sql_type = sql_types::BigInt)]
        count: i64,
    }
    let statement = Statement::new("WITH types AS (SELECT ");
    let statement = match event {
        EventSelector::Type(event_type) => statement.text(event_type.as_str()).sql(" AS event_type"),
        EventSelector::Any => statement
            .sql("event_type FROM event_counts WHERE project_id = ")
            .bind::<sql_types::Uuid, _>(project.0)
            .sql(" GROUP BY 1 ORDER BY sum(count) DESC, 1 LIMIT ")
            .bind::<sql_types::BigInt, _>(TYPES),
    };
    let rows: Vec<Row> = statement
        .sql(
            "), latest AS MATERIALIZED (SELECT properties FROM types, LATERAL (
                SELECT properties FROM events WHERE events.event_type = types.event_type AND project_id = ",
        )
        .bind::<sql_types::Uuid, _>(project.0)
    .sql(" ORDER BY occurred_at DESC LIMIT ")
    .bind::<sql_types::BigInt, _>(i64::from(events))
    .sql(
        ") of_type), members AS (
            SELECT key AS name, jsonb_typeof(value) AS json_type,
                   CASE WHEN jsonb_typeof(value) IN ('string', 'number', 'boolean') THEN left(value #>> '{}', 200) END AS value
            FROM latest, jsonb_each(properties)
         ), counted AS (SELECT name, json_type, value, count(*) AS count FROM members GROUP BY 1, 2, 3
         ), ranked AS (
            SELECT name, json_type, value, count,
                   row_number() OVER (PARTITION BY name, value IS NULL ORDER BY count DESC, value COLLATE \"C\", json_type) AS place
            FROM counted
         )
         SELECT NULL AS name, NULL AS json_type, NULL AS value, count(*) AS count FROM latest
         UNION ALL SELECT name, json_type, NULL, sum(count)::bigint FROM counted GROUP BY 1, 2
         UNION ALL (SELECT name, json_type, value, count FROM ranked WHERE value IS NOT NULL AND place <= ",
    )
    .bind::<sql_types::BigInt, _>(i64::from(values))
    .sql(" ORDER BY name, place)")
    .load(conn)
    .await?;
    let mut looked_at = 0;
    let mut found: BTreeMap<String, Property> = BTreeMap::new();
    for row in rows {
        let count = parse_count(row.count)?;
        match (row.name, row.json_type, row.value) {
            (Some(name), _, Some(value)) => found.entry(name).or_default().values.push((value, count)),
            (Some(name), Some(json_type), None) => {
                let property = found.entry(name).or_default();
                property.events += count;
                property.types.insert(json_type, count);
            }
            _ => looked_at = count,
        }
    }
    Ok((found, looked_at))
}
