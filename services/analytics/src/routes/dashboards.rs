//! `/api/v1/dashboards`: insights on one page.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::ids::{DashboardId, InsightId};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::{Code, Problem};
use millrace_http::query::Query;
use millrace_http::revision::{self, Seen};
use millrace_storage::dashboards::{self, Change, Dashboard};
use millrace_storage::database::Connection;

use crate::errors::AnalyticsError;
use crate::member::{ProjectMember, too_little};
use crate::news::tell;
use crate::routes::denials::{BadBody, NoAccess, Stale};
use crate::state::State;

mod content;
pub(super) mod insights;
pub(super) mod shares;
mod view;

use content::DashboardContent;
use view::{DashboardList, DashboardSummary, DashboardView};

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
    let visibility = content.visibility.unwrap_or(Visibility::Project);
    let mut conn = state.connection().await?;
    let layout = content.layout(&mut conn, &caller, &[]).await?;
    let (project, owner, now) = (caller.project, caller.member.account, (state.clock)());
    let created = dashboards::create(
        &mut conn,
        project,
        owner,
        name.as_str(),
        visibility,
        &layout.unwrap_or_default(),
        now,
    )
    .await;
    let dashboard = created.map_err(AnalyticsError::from)?;
    tell(&state, caller.project, news(&caller, &dashboard, NotificationKind::DashboardCreated)).await;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/dashboards/{}", dashboard.id)))
        .insert_header(revision::tag(dashboard.version))
        .json(DashboardView::read(&mut conn, &caller, dashboard).await?))
}

/// A dashboard
///
/// With the insights on it that the caller may see, from the top.
#[utoipa::path(
    operation_id = "show_dashboard",
    tag = "dashboards",
    params(("id" = Uuid, Path, description = "The dashboard")),
    responses((status = 200, description = "The dashboard", body = DashboardView), NoAccess),
)]
#[get("/api/v1/dashboards/{id}")]
pub(super) async fn show(
    caller: ProjectMember,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let dashboard = visible(&mut conn, &caller, &id).await?;
    Ok(HttpResponse::Ok()
        .insert_header(revision::tag(dashboard.version))
        .json(DashboardView::read(&mut conn, &caller, dashboard).await?))
}

/// Change a dashboard
///
/// For editors of the project, and above. `If-Match` says which version the caller has seen; making a dashboard private
/// is for its owner and for the project's admins. A layout takes the place of all that the caller sees on it.
#[utoipa::path(
    operation_id = "change_dashboard",
    tag = "dashboards",
    params(
        ("id" = Uuid, Path, description = "The dashboard"),
        ("If-Match" = String, Header, description = "The `ETag` of the state that was seen", example = "\"1\""),
    ),
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
    let dashboard = changeable(&mut conn, &caller, &id).await?;
    let moves = content.visibility.is_some_and(|visibility| visibility != dashboard.kept.visibility);
    if moves && !caller.member.may_dispose_of(dashboard.kept) {
        return Err(too_little("admin", caller.member.role));
    }
    let (id, version) = (dashboard.id, dashboard.version);
    let present = DashboardView::read(&mut conn, &caller, dashboard).await?;
    seen.check(version, &present)?;
    let layout = content.layout(&mut conn, &caller, present.hidden()).await?;
    let change = Change {
        name: content.name.as_ref().map(|name| name.as_str()),
        visibility: content.visibility.map(Visibility::as_str),
    };
    let now = (state.clock)();
    let changed =
        dashboards::change(&mut conn, caller.project, id, version, change, layout.as_deref(), now).await;
    let Some(dashboard) = changed.map_err(AnalyticsError::from)? else {
        return Err(outrun(&mut conn, &caller, id).await?);
    };
    tell(&state, caller.project, news(&caller, &dashboard, NotificationKind::DashboardUpdated)).await;
    Ok(HttpResponse::Ok()
        .insert_header(revision::tag(dashboard.version))
        .json(DashboardView::read(&mut conn, &caller, dashboard).await?))
}

/// Delete a dashboard
///
/// Its links with it; the insights stay. For its owner, and for the project's admins.
#[utoipa::path(
    operation_id = "delete_dashboard",
    tag = "dashboards",
    params(
        ("id" = Uuid, Path, description = "The dashboard"),
        ("If-Match" = String, Header, description = "The `ETag` of the state that was seen", example = "\"1\""),
    ),
    responses((status = 204, description = "It is gone"), NoAccess, Stale),
)]
#[delete("/api/v1/dashboards/{id}")]
pub(super) async fn remove(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let dashboard = disposable(&mut conn, &caller, &id).await?;
    let (id, version) = (dashboard.id, dashboard.version);
    seen.check(version, &DashboardView::read(&mut conn, &caller, dashboard.clone()).await?)?;
    if !dashboards::delete(&mut conn, caller.project, id, version).await.map_err(AnalyticsError::from)? {
        return Err(outrun(&mut conn, &caller, id).await?);
    }
    tell(&state, caller.project, news(&caller, &dashboard, NotificationKind::DashboardDeleted)).await;
    Ok(HttpResponse::NoContent().finish())
}

/// A dashboard that the caller may see; any other is not there.
async fn visible(conn: &mut Connection, caller: &ProjectMember, id: &str) -> Result<Dashboard, Problem> {
    let found = match id.parse::<DashboardId>() {
        Ok(id) => dashboards::find(conn, caller.project, id).await.map_err(AnalyticsError::from)?,
        Err(_not_an_id) => None,
    };
    found
        .filter(|dashboard| caller.member.may_see(dashboard.kept))
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such dashboard, or it is not yours to see"))
}

/// One whose content they may change.
async fn changeable(conn: &mut Connection, caller: &ProjectMember, id: &str) -> Result<Dashboard, Problem> {
    let dashboard = visible(conn, caller, id).await?;
    let may = caller.member.may_change(dashboard.kept);
    if may { Ok(dashboard) } else { Err(too_little("editor", caller.member.role)) }
}

/// One that they may take away from others, or show to them.
async fn disposable(conn: &mut Connection, caller: &ProjectMember, id: &str) -> Result<Dashboard, Problem> {
    let dashboard = visible(conn, caller, id).await?;
    let may = caller.member.may_dispose_of(dashboard.kept);
    if may { Ok(dashboard) } else { Err(too_little("admin", caller.member.role)) }
}

/// Somebody changed it between our look and our change.
async fn outrun(conn: &mut Connection, caller: &ProjectMember, id: DashboardId) -> Result<Problem, Problem> {
    let present = visible(conn, caller, &id.to_string()).await?;
    Ok(revision::changed_meanwhile(&DashboardView::read(conn, caller, present).await?))
}

/// What those who may see it are told.
fn news(caller: &ProjectMember, dashboard: &Dashboard, kind: NotificationKind) -> Notification {
    let about = About { dashboard_id: Some(dashboard.id.0), ..About::default() };
    caller.news(kind, about, dashboard.kept).with("name", dashboard.name.as_str())
}

/// The same, about an insight on it.
fn news_of_tile(
    caller: &ProjectMember,
    dashboard: &Dashboard,
    insight: InsightId,
    kind: NotificationKind,
) -> Notification {
    let about = About { dashboard_id: Some(dashboard.id.0), insight_id: Some(insight.0), ..About::default() };
    caller.news(kind, about, dashboard.kept)
}
