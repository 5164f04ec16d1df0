//! `GET /api/v1/stats/{dau,wau,mau}`.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_domain::analytics::active_users::Window;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::problem::{Problem, ProblemBody};
use millrace_http::query::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::asked::Asked;
use crate::errors::AnalyticsError;
use crate::questions::active_users::{ActiveUsersAnswer, ActiveUsersQuestion};
use crate::questions::ask;
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// The first date, or the first instant (RFC 3339). At most ten years before `to`.
    #[param(required = true, nullable = false, example = "2026-11-01")]
    from: Option<String>,
    /// The last date, included; or the instant at which to stop. Of the same kind as `from`.
    #[param(required = true, nullable = false, example = "2026-11-30")]
    to: Option<String>,
    /// The IANA zone whose days are meant; the project's if absent.
    #[param(nullable = false, example = "Europe/Paris")]
    timezone: Option<String>,
    /// Count only users with events of this type.
    #[param(nullable = false, example = "page_view")]
    event_type: Option<String>,
}

macro_rules! active_users {
    ($name:ident, $path:literal, $window:expr, $kind:literal, $summary:literal, $description:literal) => {
        #[utoipa::path(
            tag = "statistics",
            summary = $summary,
            description = $description,
            params(Parameters, ("X-Project-Id" = Option<uuid::Uuid>, Header, description = "Names the project where a session has several")),
            responses(
                (status = 200, description = "Every date with its active users", body = ActiveUsersAnswer),
            ),
        )]
        #[get($path)]
        pub(super) async fn $name() {}
    };
}
