//! `/api/v1/dashboards/{id}/insights/{insight_id}`: what stands on a dashboard. Adding and removing commute, so nobody
//! has to say which version they have seen.

use actix_web::{HttpResponse, delete, post, web};
use millrace_domain::ids::InsightId;
use millrace_domain::notification::NotificationKind;
use millrace_domain::workspace::layout::MAX_TILES;
use millrace_http::problem::{Code, Problem};
use millrace_http::revision;
use millrace_storage::dashboards::{self, Added};
use millrace_storage::database::Connection;
use millrace_storage::insights;

use super::view::DashboardView;
use super::{changeable, news_of_tile, visible};
use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::news::tell;
use crate::routes::denials::NoAccess;
use crate::state::State;

/// Put an insight on a dashboard
///
/// Below what is there. One that is there already stays where it is. For editors of the project, and above.
#[utoipa::path(
    operation_id = "add_insight_to_dashboard",
    tag = "dashboards",
    params(
        ("id" = Uuid, Path, description = "The dashboard"),
        ("insight_id" = Uuid, Path, description = "The insight"),
    ),
    responses((status = 200, description = "The dashboard", body = DashboardView), NoAccess),
)]
#[post("/api/v1/dashboards/{id}/insights/{insight_id}")]
pub(in crate::routes) async fn add(
    caller: ProjectMember,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, insight) = path.into_inner();
    let mut conn = state.connection().await?;
    let dashboard = changeable(&mut conn, &caller, &id).await?;
    let insight = visible_insight(&mut conn, &caller, &insight).await?;
    let added = dashboards::add(&mut conn, dashboard.id, insight, (state.clock)()).await;
    match added.map_err(AnalyticsError::from)? {
        Added::Full => {
            let message = format!("a dashboard holds at most {MAX_TILES} insights");
            return Err(Problem::field("insight_id", "too_many", message));
        }
        Added::Yes => {
            let kind = NotificationKind::InsightAddedToDashboard;
            tell(&state, caller.project, news_of_tile(&caller, &dashboard, insight, kind)).await;
        }
        Added::Already => {}
    }
    present(&mut conn, &caller, &id).await
}

/// Take an insight off a dashboard
///
/// The insight itself stays. For editors of the project, and above.
#[utoipa::path(
    operation_id = "remove_insight_from_dashboard",
    tag = "dashboards",
    params(
        ("id" = Uuid, Path, description = "The dashboard"),
        ("insight_id" = Uuid, Path, description = "The insight"),
    ),
    responses((status = 200, description = "The dashboard", body = DashboardView), NoAccess),
)]
#[delete("/api/v1/dashboards/{id}/insights/{insight_id}")]
pub(in crate::routes) async fn remove(
    caller: ProjectMember,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, insight) = path.into_inner();
    let mut conn = state.connection().await?;
    let dashboard = changeable(&mut conn, &caller, &id).await?;
    let insight = visible_insight(&mut conn, &caller, &insight).await?;
    let removed = dashboards::remove(&mut conn, dashboard.id, insight, (state.clock)()).await;
    if !removed.map_err(AnalyticsError::from)? {
        return Err(Problem::new(Code::NotFound, "this insight is not on the dashboard"));
    }
    let kind = NotificationKind::InsightRemovedFromDashboard;
    tell(&state, caller.project, news_of_tile(&caller, &dashboard, insight, kind)).await;
    present(&mut conn, &caller, &id).await
}

async fn present(conn: &mut Connection, caller: &ProjectMember, id: &str) -> Result<HttpResponse, Problem> {
    let dashboard = visible(conn, caller, id).await?;
    Ok(HttpResponse::Ok()
        .insert_header(revision::tag(dashboard.version))
        .json(DashboardView::read(conn, caller, dashboard).await?))
}

async fn visible_insight(
    conn: &mut Connection,
    caller: &ProjectMember,
    id: &str,
) -> Result<InsightId, Problem> {
    let found = match id.parse::<InsightId>() {
        Ok(id) => insights::find(conn, caller.project, id).await.map_err(AnalyticsError::from)?,
        Err(_not_an_id) => None,
    };
    found
        .filter(|insight| caller.member.may_see(insight.kept))
        .map(|insight| insight.id)
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such insight, or it is not yours to see"))
}
