//! `GET /api/v1/stats/{dau,wau,mau}`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::active_users::Window;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::asked::Asked;
use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::questions::active_users::{ActiveUsersAnswer, ActiveUsersQuestion};
use crate::questions::ask;
use crate::state::State;

/// Days before the first date that its number may depend on.
const LONGEST_WINDOW: u32 = 30;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// The first date; or the first instant, RFC 3339. At most ten years before `to`.
    #[param(required, nullable = false, example = "2026-11-01")]
    from: Option<String>,
    /// The last date, included; or the instant at which to stop. Of the same kind as `from`.
    #[param(required, nullable = false, example = "2026-11-02")]
    to: Option<String>,
    /// The IANA zone whose days are meant; the project's if absent.
    #[param(nullable = false, example = "Europe/Paris")]
    timezone: Option<String>,
    /// Count only users with events of this type.
    #[param(nullable = false, example = "page_view")]
    event_type: Option<String>,
}

impl Parameters {
    fn parse(self, window: Window) -> Result<ActiveUsersQuestion, AnalyticsError> {
        let asked = Asked::parse(self.from, self.to, self.timezone.as_deref())?;
        let selector = EventSelector::parse("event_type", self.event_type.as_deref())?;
        Ok(ActiveUsersQuestion { asked, window, selector })
    }
}

/// Daily active users
///
/// For every date, the distinct users with an event on it. Between instants, only the events from `from` until just
/// before `to` count.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A point for every date", body = ActiveUsersAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Paris",
                "data": [{"date": "2026-11-01", "users": 123}, {"date": "2026-11-02", "users": 0}],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/dau")]
pub(super) async fn dau(
    caller: Authorized<Read>,
    parameters: Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Day, "dau", caller, parameters, request, state).await
}

/// Weekly active users
///
/// For every date, the distinct users with an event on it or on one of the 6 days before. Between instants, the events
/// from 6 days before `from` until just before `to` count.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A point for every date", body = ActiveUsersAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Paris",
                "data": [{"date": "2026-11-01", "users": 512}, {"date": "2026-11-02", "users": 508}],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/wau")]
pub(super) async fn wau(
    caller: Authorized<Read>,
    parameters: Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Week, "wau", caller, parameters, request, state).await
}

/// Monthly active users
///
/// For every date, the distinct users with an event on it or on one of the 29 days before. Between instants, the
/// events from 29 days before `from` until just before `to` count.
#[utoipa::path(
    tag = "statistics",
    params(Parameters),
    responses(
        (
            status = 200, description = "A point for every date", body = ActiveUsersAnswer,
            example = json!({
                "from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Paris",
                "data": [{"date": "2026-11-01", "users": 1404}, {"date": "2026-11-02", "users": 1397}],
            }),
        ),
    ),
)]
#[get("/api/v1/stats/mau")]
pub(super) async fn mau(
    caller: Authorized<Read>,
    parameters: Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Month, "mau", caller, parameters, request, state).await
}

async fn active_users(
    window: Window,
    kind: &'static str,
    caller: Authorized<Read>,
    Query(parameters): Query<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let question = parameters.parse(window)?;
    let (project, months) = (caller.project_id, question.asked.months(LONGEST_WINDOW));
    let asking = Asking::new(kind, project, months, &request);
    ask(&state, &request, asking, async move |reader| question.answer(reader, project).await).await
}
