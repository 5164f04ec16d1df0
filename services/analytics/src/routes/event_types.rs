//! `GET /api/v1/event-types`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_cache::data_versions::Month;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::page::Page;
use crate::questions::ask;
use crate::questions::event_types::{EventTypesAnswer, EventTypesQuestion};
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// How many types a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl Parameters {
    fn parse(&self) -> Result<EventTypesQuestion, AnalyticsError> {
        Ok(EventTypesQuestion { page: Page::parse(self.limit.as_deref(), self.cursor.as_deref())? })
    }
}

/// Every event type
///
/// By name, with its events and when it was first and last seen.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A page of types", body = EventTypesAnswer,
            example = json!({
                "data": [{
                    "event_type": "page_view", "count": 4200,
                    "first_seen": "2026-11-01T08:15:00Z", "last_seen": "2026-11-30T21:45:00Z",
                }],
                "next_cursor": null,
            }),
        ),
    ),
)]
#[get("/api/v1/event-types")]
pub(super) async fn event_types(
    caller: Authorized<Read>,
    Query(parameters): Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let question = parameters.parse()?;
    let project = caller.project_id;
    let asking = Asking::new("event_types", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| question.answer(reader, project).await).await
}
