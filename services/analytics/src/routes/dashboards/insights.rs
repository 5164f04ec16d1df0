//! `/api/v1/dashboards/{id}/insights/{insight_id}`: what stands on a dashboard. Adding and removing commute, so nobody
//! has to say which version they have seen.

use actix_web::{HttpResponse, delete, post, web};
use millrace_domain::notification::{Notification, NotificationKind};
use millrace_domain::workspace::layout::MAX_TILES;
use millrace_http::problem::{Code, Problem};
use millrace_storage::dashboards::{self, Added, Dashboard};
use millrace_storage::database::Connection;
use millrace_storage::insights::Insight;

use super::view::DashboardView;
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
    let mut conn = state.connection().await?;
    let (dashboard, insight) = both(&mut conn, &caller, &path).await?;
    let added = dashboards::add(&mut conn, dashboard.id, insight.id, (state.clock)()).await;
    match added.map_err(AnalyticsError::from)? {
        Added::Full => {
            let message = format!("a dashboard holds at most {MAX_TILES} insights");
            Err(Problem::field("insight_id", "too_many", message))
        }
        Added::Yes => {
            let news = caller.news_of_tile(NotificationKind::InsightAddedToDashboard, &dashboard, &insight);
            changed(conn, &state, &caller, &dashboard, news).await
        }
        Added::Already => caller.show(&mut conn, dashboard).await,
    }
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
    let mut conn = state.connection().await?;
    let (dashboard, insight) = both(&mut conn, &caller, &path).await?;
    let removed = dashboards::remove(&mut conn, dashboard.id, insight.id, (state.clock)()).await;
    if !removed.map_err(AnalyticsError::from)? {
        return Err(Problem::new(Code::NotFound, "this insight is not on the dashboard"));
    }
    let news = caller.news_of_tile(NotificationKind::InsightRemovedFromDashboard, &dashboard, &insight);
    changed(conn, &state, &caller, &dashboard, news).await
}

/// A dashboard that the caller may change, and an insight that they see.
async fn both(
    conn: &mut Connection,
    caller: &ProjectMember,
    (dashboard, insight): &(String, String),
) -> Result<(Dashboard, Insight), Problem> {
    let dashboard = caller.changeable(conn, dashboard, None).await?;
    let insight = caller.visible(conn, insight).await?;
    Ok((dashboard, insight))
}

/// Tells of it, and shows the dashboard as it is now.
async fn changed(
    mut conn: Connection,
    state: &State,
    caller: &ProjectMember,
    dashboard: &Dashboard,
    news: Notification,
) -> Result<HttpResponse, Problem> {
    let present: Dashboard = caller.visible(&mut conn, &dashboard.id.to_string()).await?;
    let response = caller.show(&mut conn, present).await?;
    drop(conn);
    tell(state, caller.project, news).await;
    Ok(response)
}
