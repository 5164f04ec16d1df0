//! Which properties events have, and which values.

use std::collections::BTreeMap;

use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::ids::ProjectId;
use millrace_storage::properties;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// Events that are looked at of the type asked for.
const OF_A_TYPE: u32 = 10_000;
/// Events that are looked at of each type when none is asked for.
const OF_EACH_TYPE: u32 = 500;
const VALUES: u32 = 10;

/// A value with its events.
#[derive(Debug, Serialize, ToSchema)]
pub struct PropertyValue {
    /// The value, as text; of a long one its first 200 characters.
    pub value: String,
    /// Events that have it.
    pub events: u64,
}

/// A property.
#[derive(Debug, Serialize, ToSchema)]
pub struct PropertyRow {
    /// Its name.
    pub property: String,
    /// Events that have it.
    pub events: u64,
    /// Its JSON types, with the events that have each.
    pub types: BTreeMap<String, u64>,
    /// The ten most frequent texts, numbers, trues and falses.
    pub values: Vec<PropertyValue>,
}

/// The properties of the latest events.
#[derive(Debug, Serialize, ToSchema)]
pub struct PropertiesAnswer {
    /// How many of the latest events were looked at.
    pub events: u64,
    /// By name.
    pub data: Vec<PropertyRow>,
}

/// Looks at the latest events of a type; of any, at the latest of each of the hundred most frequent types.
///
/// # Errors
/// When the project does not exist or cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: ProjectId,
    event: EventSelector,
) -> Result<PropertiesAnswer, AnalyticsError> {
    let project = reader.project(project).await?;
    let limit = if event.event_type().is_some() { OF_A_TYPE } else { OF_EACH_TYPE };
    let conn = reader.events("the latest events").await?;
    let (found, events) = properties::of_latest(conn, project.id, &event, limit, VALUES).await?;
    let row = |(property, found): (String, properties::Property)| PropertyRow {
        property,
        events: found.events,
        types: found.types,
        values: found.values.into_iter().map(|(value, events)| PropertyValue { value, events }).collect(),
    };
    Ok(PropertiesAnswer { events, data: found.into_iter().map(row).collect() })
}
