//! `GET /api/v1/event-types`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_cache::data_versions::Month;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;

use crate::kept::Asking;
use crate::questions::ask;
use crate::questions::event_types::{EventTypesAnswer, EventTypesQuestion};
use crate::state::State;

/// Every event type
///
/// By name, with its events and when it was first and last seen.
#[utoipa::path(
    tag = "statistics",
    params(Paging),
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
    Query(paging): Query<Paging>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let question = EventTypesQuestion { page: paging.page()? };
    let project = caller.project_id;
    let asking = Asking::new("event_types", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| question.answer(reader, project).await).await
}
