//! `/api/v1/insights`: questions that people keep, and notes.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::ids::InsightId;
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_http::json::Json;
use millrace_http::page::Page;
use millrace_http::problem::{Code, Problem};
use millrace_http::query::Query;
use millrace_http::revision::{self, Seen};
use millrace_storage::database::Connection;
use millrace_storage::insights::{self, Insight, Order};
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::member::{ProjectMember, too_little};
use crate::news::tell;
use crate::routes::denials::{BadBody, NoAccess, Stale};
use crate::state::State;

mod content;
mod search;
mod view;

use content::InsightContent;
use search::Search;
pub(super) use view::InsightView;

/// Insights.
#[derive(Serialize, ToSchema)]
struct InsightList {
    /// In the order that was asked for.
    data: Vec<InsightView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// Insights of the project
///
/// Those that the caller may see.
#[utoipa::path(
    operation_id = "list_insights",
    tag = "insights",
    params(Search),
    responses((status = 200, description = "A page of insights", body = InsightList), NoAccess),
)]
#[get("/api/v1/insights")]
pub(super) async fn list(
    caller: ProjectMember,
    Query(search): Query<Search>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let order = Order::from(search.sort);
    let page = Page::parse(search.limit.as_deref(), search.cursor.as_deref())?;
    let filter = search.filter();
    let mut conn = state.connection().await?;
    let ProjectMember { project, member } = caller;
    let found =
        insights::page(&mut conn, project, member, &filter, order, page.after.clone(), page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, |insight| insight.place(order));
    Ok(HttpResponse::Ok()
        .json(InsightList { data: found.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Keep an insight
///
/// For editors of the project, and above.
#[utoipa::path(
    operation_id = "create_insight",
    tag = "insights",
    request_body = InsightContent,
    responses((status = 201, description = "The insight", body = InsightView), NoAccess, BadBody),
)]
#[post("/api/v1/insights")]
pub(super) async fn create(
    caller: ProjectMember,
    Json(content): Json<InsightContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.require_keeping()?;
    let checked = content.check()?;
    let (project, owner) = (caller.project, caller.member.account);
    let mut conn = state.connection().await?;
    let created = insights::create(&mut conn, project, owner, checked.whole()?, (state.clock)()).await;
    drop(conn);
    let insight = created.map_err(AnalyticsError::from)?;
    tell(&state, caller.project, news(&caller, &insight, NotificationKind::InsightCreated)).await;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/insights/{}", insight.id)))
        .insert_header(revision::tag(insight.version))
        .json(InsightView::from(insight)))
}

/// An insight
///
/// Its `ETag` is what a change has to show.
#[utoipa::path(
    operation_id = "show_insight",
    tag = "insights",
    params(("id" = Uuid, Path, description = "The insight")),
    responses((status = 200, description = "The insight", body = InsightView), NoAccess),
)]
#[get("/api/v1/insights/{id}")]
pub(super) async fn show(
    caller: ProjectMember,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let insight = visible(&mut conn, &caller, &id).await?;
    Ok(HttpResponse::Ok().insert_header(revision::tag(insight.version)).json(InsightView::from(insight)))
}

/// Change an insight
///
/// For editors of the project, and above. `If-Match` says which version the caller has seen; making an insight
/// private is for its owner and for the project's admins.
#[utoipa::path(
    operation_id = "change_insight",
    tag = "insights",
    params(
        ("id" = Uuid, Path, description = "The insight"),
        ("If-Match" = String, Header, description = "The `ETag` of the state that was seen", example = "\"1\""),
    ),
    request_body = InsightContent,
    responses((status = 200, description = "The insight", body = InsightView), NoAccess, BadBody, Stale),
)]
#[patch("/api/v1/insights/{id}")]
pub(super) async fn change(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    Json(content): Json<InsightContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let checked = content.check()?;
    let mut conn = state.connection().await?;
    let insight = visible(&mut conn, &caller, &id).await?;
    if !caller.member.may_change(insight.kept) {
        return Err(too_little("editor", caller.member.role));
    }
    if checked.moves_from(insight.kept.visibility) && !caller.member.may_dispose_of(insight.kept) {
        return Err(too_little("admin", caller.member.role));
    }
    let (id, version) = (insight.id, insight.version);
    seen.check(version, &InsightView::from(insight))?;
    let changed =
        insights::change(&mut conn, caller.project, id, version, checked.content(), (state.clock)()).await;
    let Some(insight) = changed.map_err(AnalyticsError::from)? else {
        let present = visible(&mut conn, &caller, &id.to_string()).await?;
        return Err(revision::changed_meanwhile(&InsightView::from(present)));
    };
    drop(conn);
    tell(&state, caller.project, news(&caller, &insight, NotificationKind::InsightUpdated)).await;
    Ok(HttpResponse::Ok().insert_header(revision::tag(insight.version)).json(InsightView::from(insight)))
}

/// Delete an insight
///
/// From dashboards, too. For its owner, and for the project's admins.
#[utoipa::path(
    operation_id = "delete_insight",
    tag = "insights",
    params(
        ("id" = Uuid, Path, description = "The insight"),
        ("If-Match" = String, Header, description = "The `ETag` of the state that was seen", example = "\"1\""),
    ),
    responses((status = 204, description = "It is gone"), NoAccess, Stale),
)]
#[delete("/api/v1/insights/{id}")]
pub(super) async fn remove(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let insight = visible(&mut conn, &caller, &id).await?;
    if !caller.member.may_dispose_of(insight.kept) {
        return Err(too_little("admin", caller.member.role));
    }
    let (id, version) = (insight.id, insight.version);
    seen.check(version, &InsightView::from(insight.clone()))?;
    if !insights::delete(&mut conn, caller.project, id, version).await.map_err(AnalyticsError::from)? {
        let present = visible(&mut conn, &caller, &id.to_string()).await?;
        return Err(revision::changed_meanwhile(&InsightView::from(present)));
    }
    drop(conn);
    tell(&state, caller.project, news(&caller, &insight, NotificationKind::InsightDeleted)).await;
    Ok(HttpResponse::NoContent().finish())
}

/// An insight that the caller may see; any other is not there.
async fn visible(conn: &mut Connection, caller: &ProjectMember, id: &str) -> Result<Insight, Problem> {
    let found = match id.parse::<InsightId>() {
        Ok(id) => insights::find(conn, caller.project, id).await.map_err(AnalyticsError::from)?,
        Err(_not_an_id) => None,
    };
    found
        .filter(|insight| caller.member.may_see(insight.kept))
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such insight, or it is not yours to see"))
}

/// What those who may see it are told.
fn news(caller: &ProjectMember, insight: &Insight, kind: NotificationKind) -> Notification {
    let about = About { insight_id: Some(insight.id.0), ..About::default() };
    caller.news(kind, about, insight.kept).with("title", insight.title.as_str())
}
