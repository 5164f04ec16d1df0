//! `/api/v1/shared/dashboard`: a dashboard for whoever has a link to it.

use actix_web::{HttpRequest, HttpResponse, get, web};
use millrace_cache::limits::Allowance;
use millrace_domain::rate::{Period, Rate};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::credentials;
use millrace_http::problem::{Code, Problem};
use millrace_security::share_token::ShareToken;
use millrace_storage::{dashboard_shares, dashboards};

use super::data::{self, DashboardData};
use crate::api_limit;
use crate::errors::AnalyticsError;
use crate::routes::denials::{BadLink, Unchanged};
use crate::state::State;

/// How often a link may be followed: by many people who look, and by nobody who only wants to keep us busy.
const RATE: Option<Rate> = Rate::new(60, Period::Minute, 30);
/// What it is called in metrics and headers.
const POLICY: &str = "shared_dashboard";

/// A dashboard by its link
///
/// The token of a link as `Authorization: Bearer mrs_…`; nobody has to sign in. It shows what the dashboard shows to all
/// members of the project: what is private on it stays out, and whose anything is is not told.
#[utoipa::path(
    operation_id = "show_shared_dashboard",
    tag = "shared",
    responses((status = 200, description = "What it shows", body = DashboardData), Unchanged, BadLink),
)]
#[get("/api/v1/shared/dashboard")]
pub(in crate::routes) async fn show(
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let no_link = || Problem::new(Code::Unauthenticated, "the link is unknown, revoked or expired");
    let token = credentials::bearer(request.headers()).and_then(ShareToken::parse);
    let hash = token.ok_or_else(no_link)?.hash();
    let mut conn = state.connection().await?;
    let opened = dashboard_shares::opens(&mut conn, &hash, (state.clock)()).await;
    let (project, id) = opened.map_err(AnalyticsError::from)?.ok_or_else(no_link)?;
    let found = dashboards::find(&mut conn, project, id).await.map_err(AnalyticsError::from)?;
    let dashboard = found.ok_or_else(no_link)?;
    drop(conn);
    if let Some(rate) = RATE {
        let allowance = Allowance::of_credential(POLICY, &hash, rate);
        let detail = || format!("a link may be followed {rate}: wait before you look again");
        api_limit::take(&state, POLICY, allowance, rate, detail).await?;
    }
    data::respond(&state, &request, &dashboard, |kept| kept.visibility == Visibility::Project).await
}
