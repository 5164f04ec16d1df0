//! What properties events have, as far as it was noticed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;
use millrace_domain::json_type::JsonType;
use uuid::Uuid;

use crate::error::StorageError;

/// Properties that one project may have noted, of all its event types together. A sender that makes up names costs the
/// others nothing.
const MAX_PER_PROJECT: i64 = 20_000;

/// A property of an event type whose values have had this type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Property {
    /// The project.
    pub project: ProjectId,
    /// The event type.
    pub event_type: String,
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub json_type: JsonType,
}

/// When something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First.
    pub first: DateTime<Utc>,
    /// Last.
    pub last: DateTime<Utc>,
}

/// Notes what was seen. Of projects that do not exist nothing is noted.
///
/// # Errors
/// When the database fails; nothing is noted then.
pub async fn note(conn: &mut AsyncPgConnection, seen: &BTreeMap<Property, Seen>) -> Result<(), StorageError> {
    let column = |of: fn(&Property) -> &str| seen.keys().map(of).collect::<Vec<&str>>();
    let projects: Vec<Uuid> = seen.keys().map(|property| property.project.0).collect();
    diesel::sql_query(
        "INSERT INTO event_properties (project_id, event_type, name, json_type, first_seen, last_seen)
         SELECT new.* FROM unnest($1, $2, $3, $4, $5, $6)
             AS new(project_id, event_type, name, json_type, first_seen, last_seen)
         JOIN projects ON projects.id = new.project_id
         WHERE (SELECT count(*) FROM event_properties AS noted WHERE noted.project_id = new.project_id) < $7
         ORDER BY 1, 2, 3, 4
         ON CONFLICT (project_id, event_type, name, json_type) DO UPDATE
         SET first_seen = least(event_properties.first_seen, excluded.first_seen),
             last_seen = greatest(event_properties.last_seen, excluded.last_seen)",
    )
    .bind::<sql_types::Array<sql_types::Uuid>, _>(projects)
    .bind::<sql_types::Array<sql_types::Text>, _>(column(|property| &property.event_type))
    .bind::<sql_types::Array<sql_types::Text>, _>(column(|property| &property.name))
    .bind::<sql_types::Array<sql_types::Text>, _>(column(|property| property.json_type.as_str()))
    .bind::<sql_types::Array<sql_types::Timestamptz>, _>(seen.values().map(|at| at.first).collect::<Vec<_>>())
    .bind::<sql_types::Array<sql_types::Timestamptz>, _>(seen.values().map(|at| at.last).collect::<Vec<_>>())
    .bind::<sql_types::BigInt, _>(MAX_PER_PROJECT)
    .execute(conn)
    .await?;
    Ok(())
}

/// A property of an event type, with all the types that its values have had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertySummary {
    /// The event type.
    pub event_type: String,
    /// Its name.
    pub name: String,
    /// The types, the first seen first.
    pub types: Vec<(JsonType, Seen)>,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = sql_types::Text)]
    event_type: String,
    #[diesel(sql_type = sql_types::Text)]
    name: String,
    #[diesel(sql_type = sql_types::Array<sql_types::Text>)]
    types: Vec<String>,
    #[diesel(sql_type = sql_types::Array<sql_types::Timestamptz>)]
    first: Vec<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Array<sql_types::Timestamptz>)]
    last: Vec<DateTime<Utc>>,
}

/// The first `limit` properties by event type and name, of those behind `after`; of one event type or of all.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: Option<&str>,
    after: Option<(&str, &str)>,
    limit: u16,
) -> Result<Vec<PropertySummary>, StorageError> {
    let rows: Vec<Row> = diesel::sql_query(
        "SELECT event_type, name, array_agg(json_type ORDER BY first_seen, json_type) AS types,
                array_agg(first_seen ORDER BY first_seen, json_type) AS first,
                array_agg(last_seen ORDER BY first_seen, json_type) AS last
         FROM event_properties
         WHERE project_id = $1 AND ($2 IS NULL OR event_type = $2)
           AND ($3 IS NULL OR (event_type COLLATE \"C\", name COLLATE \"C\") > ($3, $4))
         GROUP BY event_type, name ORDER BY event_type COLLATE \"C\", name COLLATE \"C\" LIMIT $5",
    )
    .bind::<sql_types::Uuid, _>(project.0)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(event_type)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(after.map(|(event_type, _)| event_type))
    .bind::<sql_types::Nullable<sql_types::Text>, _>(after.map(|(_, name)| name))
    .bind::<sql_types::BigInt, _>(i64::from(limit))
    .load(conn)
    .await?;
    rows.into_iter().map(PropertySummary::try_from).collect()
}

impl TryFrom<Row> for PropertySummary {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self, StorageError> {
        let seen = row.first.into_iter().zip(row.last).map(|(first, last)| Seen { first, last });
        let types = row.types.iter().zip(seen).map(|(name, seen)| {
            let known = JsonType::ALL.into_iter().find(|json_type| json_type.as_str() == name);
            let json_type = known.ok_or_else(|| StorageError::Corrupt(format!("JSON type {name:?}")))?;
            Ok((json_type, seen))
        });
        let types = types.collect::<Result<Vec<_>, StorageError>>()?;
        Ok(Self { event_type: row.event_type, name: row.name, types })
    }
}
