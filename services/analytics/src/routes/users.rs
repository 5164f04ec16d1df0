//! `GET /api/v1/users`, `/api/v1/users/{user_id}` and `/api/v1/users/{user_id}/events`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_cache::data_versions::Month;
use millrace_domain::text::UserId;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;

use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::questions::ask;
use crate::questions::users::{self as questions, UserAnswer, UserEventsAnswer, UsersAnswer};
use crate::state::State;

/// Every user
///
/// Those with events, by their ids, with when they were first and last seen.
#[utoipa::path(
    tag = "users",
    params(Paging),
    responses(
        (
            status = 200, description = "A page of users", body = UsersAnswer,
            example = json!({
                "data": [{
                    "user_id": "ada", "first_seen": "2026-11-01T08:15:00Z", "last_seen": "2026-11-30T21:45:00Z",
                    "traits": {},
                }],
                "next_cursor": null,
            }),
        ),
    ),
)]
#[get("/api/v1/users")]
pub(super) async fn users(
    caller: Authorized<Read>,
    Query(paging): Query<Paging>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (project, page) = (caller.project_id, paging.page()?);
    let asking = Asking::new("users", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| questions::page(reader, project, page).await).await
}

/// A user
///
/// When they were first and last seen, and how often they did what.
#[utoipa::path(
    tag = "users",
    params(("user_id" = String, Path, description = "The application's name for the user", example = "ada")),
    responses(
        (
            status = 200, description = "The user", body = UserAnswer,
            example = json!({
                "user_id": "ada", "first_seen": "2026-11-01T08:15:00Z", "last_seen": "2026-11-30T21:45:00Z",
                "traits": {}, "events": 3, "event_types": [{"event_type": "visit", "count": 3}],
            }),
        ),
    ),
)]
#[get("/api/v1/users/{user_id}")]
pub(super) async fn user(
    caller: Authorized<Read>,
    name: web::Path<String>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (project, id) = (caller.project_id, parse(&name)?);
    let asking = Asking::new("user", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| questions::one(reader, project, id).await).await
}

/// What a user did
///
/// Their events, the latest first. Those whose sender named no session are in one that has no more than half an hour
/// between two events, and is named after its first: a late event may join two of them, and rename the later one.
#[utoipa::path(
    tag = "users",
    params(
        ("user_id" = String, Path, description = "The application's name for the user", example = "ada"),
        Paging,
    ),
    responses(
        (
            status = 200, description = "A page of events", body = UserEventsAnswer,
            example = json!({
                "data": [{
                    "event_id": "0193a2f4-6f10-7d02-8a55-3b0c9d4e7f61", "event_type": "visit",
                    "occurred_at": "2026-11-30T21:45:00Z", "received_at": "2026-11-30T21:45:01Z",
                    "session_id": "ada@2026-11-30T21:32:10.500000Z", "properties": {"plan": "pro"}, "context": null,
                }],
                "next_cursor": null,
            }),
        ),
    ),
)]
#[get("/api/v1/users/{user_id}/events")]
pub(super) async fn events(
    caller: Authorized<Read>,
    name: web::Path<String>,
    Query(paging): Query<Paging>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (project, id, page) = (caller.project_id, parse(&name)?, paging.page()?);
    let asking = Asking::new("user_events", project, Month::FIRST..=Month::LAST, &request);
    ask(&state, &request, asking, async move |reader| questions::events(reader, project, id, page).await)
        .await
}

/// A name that no user can have is nobody's.
fn parse(name: &str) -> Result<UserId, Problem> {
    UserId::parse(name).map_err(|_nobodys| AnalyticsError::NoUser.into())
}
