//! `/api/v1/insights`: questions that people keep, and notes.

use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::notification::NotificationKind;
use millrace_http::json::Json;
use millrace_http::page::Page;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_http::revision::Seen;
use millrace_storage::insights::list::{self as insight_list, Order};
use millrace_storage::insights::{self, Changed, Insight};
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::news::tell_all;
use crate::routes::denials::{BadBody, NoAccess, Stale, Version};
use crate::routes::one::show_and_remove;
use crate::state::State;

mod content;
mod search;
mod view;

use content::InsightContent;
use search::Search;
use view::{InsightSummary, InsightView};

/// Insights.
#[derive(Serialize, ToSchema)]
struct InsightList {
    /// In the order that was asked for.
    data: Vec<InsightSummary>,
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
        insight_list::page(&mut conn, project, member, &filter, order, page.after.clone(), page.probe())
            .await;
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
    let made = insights::create(&mut conn, project, owner, checked.whole()?, (state.clock)()).await;
    caller.made(conn, &state, made.map_err(AnalyticsError::from)?).await
}

show_and_remove! {
    Insight as InsightView, "The insight" of "insights", at "/api/v1/insights/{id}";
    /// An insight
    ///
    /// Its `ETag` is what a change has to show.
    show = "show_insight";
    /// Delete an insight
    ///
    /// With the alerts on it, whoever's they are, and their history. It leaves the dashboards that it is on, which become
    /// another version each. For its owner, and for the project's admins.
    remove = "delete_insight";
}

/// Change an insight
///
/// For editors of the project, and above. `If-Match` says which version the caller has seen; making an insight
/// private is for its owner and for the project's admins. Its owner's alerts on it become private with it, and those of
/// others are switched off.
#[utoipa::path(
    operation_id = "change_insight",
    tag = "insights",
    params(("id" = Uuid, Path, description = "The insight"), Version),
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
    let insight: Insight = caller.changeable(&mut conn, &id, checked.visibility).await?;
    let (id, version) = (insight.id, insight.version);
    caller.having_seen(&mut conn, insight, &seen).await?;
    let changed =
        insights::change(&mut conn, caller.project, id, version, checked.content(), (state.clock)()).await;
    let (insight, alerts) = match changed.map_err(AnalyticsError::from)? {
        Some(Changed { insight, alerts }) => (Some(insight), alerts),
        None => (None, Vec::new()),
    };
    let news = alerts.iter().map(|alert| caller.news_of(alert, NotificationKind::AlertUpdated));
    tell_all(&state, caller.project, news).await;
    caller.changed(conn, &state, id, insight).await
}
