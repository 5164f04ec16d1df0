//! `POST /api/v1/query`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use millrace_domain::analytics::query::Query;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::json::Json;
use millrace_http::problem::Problem;
use serde_json::{Map, Value};

use crate::errors::AnalyticsError;
use crate::questions::ask_query;
use crate::state::State;

/// Ask any question
///
/// One JSON object. `kind` is `trends`, `funnel`, `retention`, `top_events`, `active_users`, `lifecycle`, `stickiness`,
/// `paths` or `sessions`. `from`, `to`, `timezone` and `filter` mean the same in all of them; with `explain: true` the
/// answer says which store gave it and how long each part took. What the fields of each kind are and what the answers
/// mean: docs/queries.md and docs/definitions.md. A field that does not exist is refused by its path.
#[utoipa::path(
    tag = "queries",
    request_body(
        content = Value, description = "The question",
        example = json!({
            "kind": "funnel", "from": "2026-11-01", "to": "2026-11-30", "window": "7d",
            "steps": [
                {"event_type": "signup"},
                {"event_type": "purchase", "filter": {"property": "amount", "op": "gte", "value": 10}},
            ],
            "filter": {"not": {"property": "plan", "op": "eq", "value": "internal"}},
        }),
    ),
    responses(
        (
            status = 200, description = "The answer of the kind", body = Value,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-30", "timezone": "Europe/Paris",
                "data": [
                    {
                        "step": 1, "event_type": "signup", "users": 200, "conversion": 1, "conversion_from_previous": 1,
                        "drop_off": 0, "median_seconds": null, "median_seconds_from_start": null,
                    },
                    {
                        "step": 2, "event_type": "purchase", "users": 50, "conversion": 0.25,
                        "conversion_from_previous": 0.25, "drop_off": 150, "median_seconds": 5400.5,
                        "median_seconds_from_start": 5400.5,
                    },
                ],
            }),
        ),
    ),
)]
#[post("/api/v1/query")]
pub(super) async fn query(
    caller: Authorized<Read>,
    Json(body): Json<Map<String, Value>>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    // The map is sorted by its names, so the order in which a client writes them makes no other question.
    let spelling = serde_json::to_string(&body).map_err(|error| Problem::internal(&error))?;
    let query = Query::parse(body).map_err(AnalyticsError::from)?;
    ask_query(&state, &request, caller.project_id, query, format!("query {spelling}")).await
}
