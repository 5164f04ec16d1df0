//! `GET /api/v1/stats/{dau,wau,mau}`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::active_users::{ActiveUsersQuery, Window};
use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::query::{Query, Question};
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::Problem;
use millrace_http::query::Query as Parameter;
use serde::Deserialize;
use utoipa::{IntoParams, IntoResponses};

use crate::errors::AnalyticsError;
use crate::questions::active_users::ActiveUsersAnswer;
use crate::questions::ask_query;
use crate::state::State;

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
    fn parse(self, window: Window) -> Result<Query, AnalyticsError> {
        let asked = Asked::parse(self.from, self.to, self.timezone.as_deref())?;
        let event = EventSelector::parse("event_type", self.event_type.as_deref())?;
        let question = Question::ActiveUsers(ActiveUsersQuery { window, event });
        Ok(Query { asked, filter: None, question, explain: false })
    }
}

/// A point for every date
#[derive(IntoResponses)]
#[response(
    status = 200,
    example = json!({
        "from": "2026-11-01", "to": "2026-11-02", "timezone": "Europe/Paris",
        "data": [{"date": "2026-11-01", "users": 123}, {"date": "2026-11-02", "users": 0}],
    }),
)]
#[expect(dead_code, reason = "describes; `Answer` is what is sent")]
struct Points(ActiveUsersAnswer);

/// Daily active users
///
/// For every date, the distinct users with an event on it. Between instants, only the events from `from` until just
/// before `to` count.
#[utoipa::path(tag = "statistics", params(Parameters), responses(Points))]
#[get("/api/v1/stats/dau")]
pub(super) async fn dau(
    caller: Authorized<Read>,
    parameters: Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Day, caller, parameters, request, state).await
}

/// Weekly active users
///
/// For every date, the distinct users with an event on it or on one of the 6 days before. Between instants, the events
/// from 6 days before `from` until just before `to` count.
#[utoipa::path(tag = "statistics", params(Parameters), responses(Points))]
#[get("/api/v1/stats/wau")]
pub(super) async fn wau(
    caller: Authorized<Read>,
    parameters: Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Week, caller, parameters, request, state).await
}

/// Monthly active users
///
/// For every date, the distinct users with an event on it or on one of the 29 days before. Between instants, the
/// events from 29 days before `from` until just before `to` count.
#[utoipa::path(tag = "statistics", params(Parameters), responses(Points))]
#[get("/api/v1/stats/mau")]
pub(super) async fn mau(
    caller: Authorized<Read>,
    parameters: Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    active_users(Window::Month, caller, parameters, request, state).await
}

async fn active_users(
    window: Window,
    caller: Authorized<Read>,
    Parameter(parameters): Parameter<Parameters>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    ask_query(&state, &request, caller.project_id, parameters.parse(window)?, request.uri().to_string()).await
}
