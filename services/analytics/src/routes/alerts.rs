//! `/api/v1/alerts`: what looks out for the numbers of insights.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, delete, get, patch, post, web};
use millrace_domain::ids::AlertId;
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_http::revision::Seen;
use millrace_security::webhook_signature::WebhookSecret;
use millrace_storage::alerts::{self, Alert, Content};
use millrace_storage::insights::{self, Insight};

use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::{BadBody, NoAccess, Stale, Version};
use crate::routes::one::show_and_remove;
use crate::state::State;

mod content;
pub(super) mod history;
pub(super) mod retry;
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
    content::check_visibility(checked.visibility, &insight)?;
    let id = AlertId::new();
    let secret = checked.secret(&state.webhook_key, id)?.flatten();
    let (about, owner) = ((caller.project, insight.id), caller.member.account);
    let (content, now) = (checked.content()?, (state.clock)());
    let made = alerts::create(&mut conn, id, about, owner, content, secret.as_ref(), now).await;
    caller.made(conn, &state, made.map_err(AnalyticsError::from)?).await
}

show_and_remove! {
    Alert as AlertView, "The alert" of "alerts", at "/api/v1/alerts/{id}";
    /// An alert
    ///
    /// With where it stands and what it read last.
    show = "show_alert";
    /// Delete an alert
    ///
    /// With its history. For its owner, and for the project's admins.
    remove = "delete_alert";
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
    let secret = checked.secret(&state.webhook_key, alert.id)?;
    let (id, version) = (alert.id, alert.version);
    let insight = insights::find(&mut conn, caller.project, alert.insight_id).await;
    if let Some(insight) = insight.map_err(AnalyticsError::from)? {
        content::check_visibility(checked.visibility, &insight)?;
    }
    caller.having_seen(&mut conn, alert, &seen).await?;
    let (content, now) = (checked.content()?, (state.clock)());
    let secret = secret.as_ref().map(Option::as_ref);
    let changed = alerts::change(&mut conn, caller.project, id, version, content, secret, now).await;
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await
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
    let kept = state.webhook_key.keep(id, &secret).map_err(|error| Problem::internal(&error))?;
    let (content, now) = (Content::default(), (state.clock)());
    let changed =
        alerts::change(&mut conn, caller.project, id, version, content, Some(Some(&kept)), now).await;
    // Who was faster is told of, and the secret of ours is nobody's.
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await?;
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(SecretView { webhook_secret: secret.reveal().to_owned() }))
}
