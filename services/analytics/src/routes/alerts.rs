//! `/api/v1/alerts`: what looks out for the numbers of insights.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::workspace::sharing::Visibility;
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_http::revision::Seen;
use millrace_security::webhook_signature::WebhookSecret;
use millrace_storage::alerts::{self, Alert, Content};
use millrace_storage::insights::Insight;

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::{BadBody, NoAccess, Stale, Version};
use crate::state::State;

mod content;
pub(super) mod history;
mod view;

use content::AlertContent;
use view::{AlertList, AlertView, SecretView};

/// Alerts of the project
///
/// Those that the caller may see, by name.
#[utoipa::path(
    operation_id = "list_alerts",
    tag = "alerts",
    params(Paging),
    responses((status = 200, description = "A page of alerts", body = AlertList), NoAccess),
)]
#[get("/api/v1/alerts")]
pub(super) async fn list(
    caller: ProjectMember,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let ProjectMember { project, member } = caller;
    let found = alerts::page(&mut conn, project, member, page.after.clone(), page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, Alert::place);
    let data = found.into_iter().map(|alert| AlertView::new(alert, &caller)).collect();
    Ok(HttpResponse::Ok().json(AlertList { data, next_cursor }))
}

/// Make an alert
///
/// It looks at once, and then every `every_seconds`. Of an insight that is private only its owner can make one, which is
/// private too. For editors of the project, and above.
#[utoipa::path(
    operation_id = "create_alert",
    tag = "alerts",
    request_body = AlertContent,
    responses((status = 201, description = "The alert", body = AlertView), NoAccess, BadBody),
)]
#[post("/api/v1/alerts")]
pub(super) async fn create(
    caller: ProjectMember,
    Json(content): Json<AlertContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.require_keeping()?;
    let insight = content.insight()?;
    let checked = content.check(&state)?.whole()?;
    let mut conn = state.connection().await?;
    let insight: Insight = caller.visible(&mut conn, &insight.to_string()).await.map_err(|problem| {
        content::of_the_insight(problem, "insight_id must be an insight of the project that you see")
    })?;
    content::check_number(&insight, (state.clock)())?;
    if insight.kept.visibility == Visibility::Private && checked.visibility != Some(Visibility::Private) {
        let message = "visibility must be private for an insight that is";
        return Err(Problem::field("visibility", "invalid", message));
    }
    let (project, owner) = (caller.project, caller.member.account);
    let made =
        alerts::create(&mut conn, project, insight.id, owner, checked.content()?, (state.clock)()).await;
    caller.made(conn, &state, made.map_err(AnalyticsError::from)?).await
}

/// An alert
///
/// With where it stands and what it read last.
#[utoipa::path(
    operation_id = "show_alert",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert")),
    responses((status = 200, description = "The alert", body = AlertView), NoAccess),
)]
#[get("/api/v1/alerts/{id}")]
pub(super) async fn show(
    caller: ProjectMember,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let alert: Alert = caller.visible(&mut conn, &id).await?;
    caller.show(&mut conn, alert).await
}

/// Change an alert
///
/// It looks at once. For editors of the project, and above. `If-Match` says which version the caller has seen; making it
/// private or public is for its owner and for the project's admins. Its insight stays.
#[utoipa::path(
    operation_id = "change_alert",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert"), Version),
    request_body = AlertContent,
    responses((status = 200, description = "The alert", body = AlertView), NoAccess, BadBody, Stale),
)]
#[patch("/api/v1/alerts/{id}")]
pub(super) async fn change(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    Json(content): Json<AlertContent>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    content.no_insight()?;
    let mut checked = content.check(&state)?;
    let mut conn = state.connection().await?;
    let alert: Alert = caller.changeable(&mut conn, &id, checked.visibility).await?;
    checked.keep_secret_of(&alert);
    let (id, version) = (alert.id, alert.version);
    caller.having_seen(&mut conn, alert, &seen).await?;
    let changed =
        alerts::change(&mut conn, caller.project, id, version, checked.content()?, (state.clock)()).await;
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await
}

/// Delete an alert
///
/// With its history. For its owner, and for the project's admins.
#[utoipa::path(
    operation_id = "delete_alert",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert"), Version),
    responses((status = 204, description = "It is gone"), NoAccess, Stale),
)]
#[delete("/api/v1/alerts/{id}")]
pub(super) async fn remove(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.delete::<Alert>(&state, &id, &seen).await
}

/// A new secret for an alert's webhook
///
/// In place of the one before, which signs nothing from then on. It is shown this once. For the alert's owner, and for
/// the project's admins.
#[utoipa::path(
    operation_id = "create_webhook_secret",
    tag = "alerts",
    params(("id" = Uuid, Path, description = "The alert"), Version),
    responses((status = 201, description = "The secret", body = SecretView), NoAccess, Stale),
)]
#[post("/api/v1/alerts/{id}/webhook-secret")]
pub(super) async fn new_secret(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let mut conn = state.connection().await?;
    let alert: Alert = caller.disposable(&mut conn, &id).await?;
    let (id, version) = (alert.id, alert.version);
    caller.having_seen(&mut conn, alert, &seen).await?;
    let secret = WebhookSecret::generate().map_err(|error| Problem::internal(&error))?;
    let content = Content { webhook_secret: Some(Some(secret.reveal())), ..Content::default() };
    let changed = alerts::change(&mut conn, caller.project, id, version, content, (state.clock)()).await;
    // Who was faster is told of, and the secret of ours is nobody's.
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SecretView { webhook_secret: secret.reveal().to_owned() }))
}
