//! `/api/v1/dashboards`: insights on one page.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_http::revision::Seen;
use millrace_storage::dashboards::{self, Change, Dashboard, NewDashboard};

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::{BadBody, NoAccess, Stale, Version};
use crate::routes::one::show_and_remove;
use crate::state::State;

mod content;
pub(super) mod data;
pub(super) mod insights;
pub(super) mod shared;
pub(super) mod shares;
mod standing;
mod view;

use content::DashboardContent;
pub(super) use view::DashboardView;
use view::{DashboardList, DashboardSummary};

/// Dashboards of the project
///
/// Those that the caller may see, by name.
#[utoipa::path(
    operation_id = "list_dashboards",
    tag = "dashboards",
    params(Paging),
    responses((status = 200, description = "A page of dashboards", body = DashboardList), NoAccess),
)]
#[get("/api/v1/dashboards")]
pub(super) async fn list(
    caller: ProjectMember,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let ProjectMember { project, member } = caller;
    let found = dashboards::page(&mut conn, project, member, page.after.clone(), page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, Dashboard::place);
    let data = found.into_iter().map(DashboardSummary::from).collect();
    Ok(HttpResponse::Ok().json(DashboardList { data, next_cursor }))
}

/// Make a dashboard
///
/// For editors of the project, and above.
#[utoipa::path(
    operation_id = "create_dashboard",
    tag = "dashboards",
    request_body = DashboardContent,
    responses((status = 201, description = "The dashboard", body = DashboardView), NoAccess, BadBody),
)]
#[post("/api/v1/dashboards")]
pub(super) async fn create(
    caller: ProjectMember,
    Json(content): Json<DashboardContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.require_keeping()?;
    let content = content.check()?;
    let name = content.name.as_ref().ok_or_else(|| Problem::field("name", "missing", "name is required"))?;
    let mut conn = state.connection().await?;
    let layout = content.layout(&mut conn, &caller, &[]).await?;
    let new = NewDashboard {
        name: name.as_str(),
        visibility: content.visibility.unwrap_or(Visibility::Project),
        layout: &layout.unwrap_or_default(),
    };
    let (project, owner) = (caller.project, caller.member.account);
    let made = dashboards::create(&mut conn, project, owner, new, (state.clock)()).await;
    caller.made(conn, &state, made.map_err(AnalyticsError::from)?).await
}

show_and_remove! {
    Dashboard as DashboardView, "The dashboard" of "dashboards", at "/api/v1/dashboards/{id}";
    /// A dashboard
    ///
    /// With the insights on it that the caller may see, from the top.
    show = "show_dashboard";
    /// Delete a dashboard
    ///
    /// Its links with it; the insights stay. For its owner, and for the project's admins.
    remove = "delete_dashboard";
}

/// Change a dashboard
///
/// For editors of the project, and above. `If-Match` says which version the caller has seen; making a dashboard private
/// is for its owner and for the project's admins. A layout takes the place of all that the caller sees on it.
#[utoipa::path(
    operation_id = "change_dashboard",
    tag = "dashboards",
    params(("id" = Uuid, Path, description = "The dashboard"), Version),
    request_body = DashboardContent,
    responses((status = 200, description = "The dashboard", body = DashboardView), NoAccess, BadBody, Stale),
)]
#[patch("/api/v1/dashboards/{id}")]
pub(super) async fn change(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    Json(content): Json<DashboardContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let content = content.check()?;
    let mut conn = state.connection().await?;
    let dashboard: Dashboard = caller.changeable(&mut conn, &id, content.visibility).await?;
    let (id, version) = (dashboard.id, dashboard.version);
    let present = caller.having_seen(&mut conn, dashboard, &seen).await?;
    let layout = content.layout(&mut conn, &caller, present.hidden()).await?;
    let change = Change {
        name: content.name.as_ref().map(|name| name.as_str()),
        visibility: content.visibility.map(Visibility::as_str),
    };
    let now = (state.clock)();
    let changed =
        dashboards::change(&mut conn, caller.project, id, version, change, layout.as_deref(), now).await;
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await
}
