//! `GET /api/v1/properties`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_cache::data_versions::Month;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::questions::ask;
use crate::questions::properties::{PropertiesAnswer, answer};
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// Only events of this type.
    #[param(nullable = false, example = "visit")]
    event_type: Option<String>,
}

/// Which properties events have
///
/// Names, JSON types and most frequent values, among the latest 10,000 events of the type; without a type, among the
/// latest 500 of each of the hundred most frequent types.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "Every property, by name", body = PropertiesAnswer,
            example = json!({
                "events": 3,
                "data": [{"property": "plan", "events": 2, "types": {"string": 2}, "values": [{"value": "pro", "events": 2}]}],
            }),
        ),
    ),
)]
#[get("/api/v1/properties")]
pub(super) async fn properties(
    caller: Authorized<Read>,
    Query(parameters): Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let event =
        EventSelector::parse("event_type", parameters.event_type.as_deref()).map_err(AnalyticsError::from)?;
    let project = caller.project_id;
    let asking = Asking::new("properties", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| answer(reader, project, event).await).await
}
