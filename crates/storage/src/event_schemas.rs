//! What the properties of event types must look like, where projects say so.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use serde_json::Value;
use uuid::Uuid;

use crate::error::StorageError;
use crate::schema::{event_schemas, projects};

/// Event types of a project that may have a schema. Workers keep all of them ready.
pub const MAX_PER_PROJECT: i64 = 200;

/// A schema and the event type whose properties must keep it.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSchema {
    /// The project.
    pub project: ProjectId,
    /// The event type.
    pub event_type: String,
    /// The schema.
    pub schema: Value,
    /// Another whenever the schema is.
    pub revision: Uuid,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
}

type Row = (Uuid, String, Value, Uuid, DateTime<Utc>);

impl From<Row> for EventSchema {
    fn from((project, event_type, schema, revision, changed_at): Row) -> Self {
        Self { project: ProjectId(project), event_type, schema, revision, changed_at }
    }
}

/// The schema of an event type, if it has one.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
) -> Result<Option<EventSchema>, StorageError> {
    let row: Option<Row> =
        event_schemas::table.find((project.0, event_type.as_str())).first(conn).await.optional()?;
    Ok(row.map(EventSchema::from))
}

/// The event types of a project that have a schema, by name.
///
/// # Errors
/// When the database fails.
pub async fn strict_types(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
) -> Result<Vec<String>, StorageError> {
    let of_project = event_schemas::table.filter(event_schemas::project_id.eq(project.0));
    Ok(of_project.select(event_schemas::event_type).order(event_schemas::event_type).load(conn).await?)
}

/// Gives an event type a schema, or another one. `None`, and nothing is done, when too many of the project have one.
///
/// # Errors
/// [`StorageError::Missing`] when the project does not exist.
pub async fn set(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
    schema: &Value,
) -> Result<Option<EventSchema>, StorageError> {
    use event_schemas::dsl;
    conn.transaction(async |conn| {
        // One at a time for a project, or several that are counted together exceed what each of them sees.
        let locked = projects::table.find(project.0).select(projects::id).for_no_key_update();
        locked
            .first::<Uuid>(conn)
            .await
            .optional()?
            .ok_or_else(|| StorageError::Missing("the project".to_owned()))?;
        let others = dsl::event_schemas
            .filter(dsl::project_id.eq(project.0).and(dsl::event_type.ne(event_type.as_str())));
        if others.count().get_result::<i64>(conn).await? >= MAX_PER_PROJECT {
            return Ok(None);
        }
        let row: Row = diesel::insert_into(dsl::event_schemas)
            .values((
                dsl::project_id.eq(project.0),
                dsl::event_type.eq(event_type.as_str()),
                dsl::schema.eq(schema),
                dsl::revision.eq(Uuid::now_v7()),
            ))
            .on_conflict((dsl::project_id, dsl::event_type))
            .do_update()
            .set((
                dsl::schema.eq(excluded(dsl::schema)),
                dsl::revision.eq(excluded(dsl::revision)),
                dsl::changed_at.eq(diesel::dsl::now),
            ))
            .get_result(conn)
            .await?;
        Ok(Some(row.into()))
    })
    .await
}

/// Takes an event type's schema away. Whether it had one.
///
/// # Errors
/// When the database fails.
pub async fn end(
    conn: &mut AsyncPgConnection,
    project: ProjectId,
    event_type: &EventType,
) -> Result<bool, StorageError> {
    let it = event_schemas::table.find((project.0, event_type.as_str()));
    Ok(diesel::delete(it).execute(conn).await? > 0)
}

/// The revisions of all schemas of all projects: what tells whether any is another.
///
/// # Errors
/// When the database fails.
pub async fn revisions(conn: &mut AsyncPgConnection) -> Result<Vec<Uuid>, StorageError> {
    Ok(event_schemas::table.select(event_schemas::revision).order(event_schemas::revision).load(conn).await?)
}

/// All schemas of all projects.
///
/// # Errors
/// When the database fails.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<EventSchema>, StorageError> {
    let rows: Vec<Row> = event_schemas::table.load(conn).await?;
    Ok(rows.into_iter().map(EventSchema::from).collect())
}
