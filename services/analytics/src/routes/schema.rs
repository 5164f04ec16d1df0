//! `GET /api/v1/schema`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use chrono::{DateTime, Utc};
use millrace_domain::json_type::JsonType;
use millrace_domain::text::EventType;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::page::Page;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_storage::event_properties::{self, PropertySummary};
use millrace_storage::event_schemas;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Answer;
use crate::errors::AnalyticsError;
use crate::plan::Source;
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// Only the properties of this event type.
    #[param(nullable = false, example = "order_completed")]
    event_type: Option<String>,
    /// How many properties a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// A property of an event type.
#[derive(Debug, Serialize, ToSchema)]
struct PropertyRow {
    /// The event type.
    #[schema(example = "order_completed")]
    event_type: String,
    /// Its name.
    #[schema(example = "value")]
    property: String,
    /// The types of its values, the first seen first.
    types: Vec<TypeRow>,
    /// What is to be said about it: that its values have had several types.
    #[schema(example = "values were number and, since 2026-11-20, string")]
    warning: Option<String>,
}

/// A type that values have had.
#[derive(Debug, Serialize, ToSchema)]
struct TypeRow {
    /// `string`, `number`, `boolean`, `object` or `array`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "number")]
    json_type: JsonType,
    /// When the first was stored, to within seconds.
    first_seen: DateTime<Utc>,
    /// When the last was stored, to within a day.
    last_seen: DateTime<Utc>,
}

/// A page of properties.
#[derive(Debug, Serialize, ToSchema)]
struct SchemaAnswer {
    /// By event type, then by name.
    data: Vec<PropertyRow>,
    /// The event types whose properties must keep a schema: `/api/v1/schema/{event_type}` has it.
    #[schema(example = json!(["order_completed"]))]
    strict: Vec<String>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

impl From<PropertySummary> for PropertyRow {
    fn from(summary: PropertySummary) -> Self {
        let warning = match summary.types.as_slice() {
            [(first, _), (second, seen), ..] => {
                let (first, second, since) = (first.as_str(), second.as_str(), seen.first.date_naive());
                Some(format!("values were {first} and, since {since}, {second}"))
            }
            _ => None,
        };
        let types = summary.types.into_iter().map(|(json_type, seen)| TypeRow {
            json_type,
            first_seen: seen.first,
            last_seen: seen.last,
        });
        Self { event_type: summary.event_type, property: summary.name, types: types.collect(), warning }
    }
}

/// The properties of every event type
///
/// With the JSON types of their values, as the worker has noticed them within some seconds: at most 20,000 for a project. A
/// property whose values change their type carries a warning.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A page of properties", body = SchemaAnswer,
            example = json!({
                "data": [{
                    "event_type": "order_completed", "property": "value",
                    "types": [
                        {"type": "number", "first_seen": "2026-11-01T08:15:00Z", "last_seen": "2026-11-20T00:10:00Z"},
                        {"type": "string", "first_seen": "2026-11-20T09:30:00Z", "last_seen": "2026-11-20T09:30:00Z"},
                    ],
                    "warning": "values were number and, since 2026-11-20, string",
                }],
                "strict": ["order_completed"],
                "next_cursor": null,
            }),
        ),
    ),
)]
#[get("/api/v1/schema")]
pub(super) async fn schema(
    caller: Authorized<Read>,
    Query(parameters): Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Parameters { event_type, limit, cursor } = parameters;
    let invalid = |fault| Problem::field("event_type", "invalid", format!("event_type {fault}"));
    let event_type = event_type.as_deref().map(EventType::parse).transpose().map_err(invalid)?;
    let page = Page::<(String, String)>::parse(limit.as_deref(), cursor.as_deref())?;
    let after = page.after.as_ref().map(|(event_type, name)| (event_type.as_str(), name.as_str()));
    let event_type = event_type.as_ref().map(EventType::as_str);
    let mut conn = state.database.connection().await.map_err(AnalyticsError::from)?;
    let found = event_properties::page(&mut conn, caller.project_id, event_type, after, page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let strict = event_schemas::strict_types(&mut conn, caller.project_id).await;
    let strict = strict.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, |summary| (summary.event_type.clone(), summary.name.clone()));
    let data = found.into_iter().map(PropertyRow::from).collect();
    // What was noticed is read anew each time: nothing tells when it is old.
    let answer = Answer::of(&SchemaAnswer { data, strict, next_cursor }, Source::RollUp)
        .map_err(AnalyticsError::from)?;
    Ok(answer.respond(&request, false))
}
