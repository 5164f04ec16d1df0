//! `/api/v1/dashboards/{id}/shares`: links through which anybody reads a dashboard.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Details, SecurityEvent, Target};
use millrace_domain::ids::{AccountId, DashboardId, ShareId};
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::{Code, Problem};
use millrace_http::query::Query;
use millrace_security::share_token::ShareToken;
use millrace_storage::dashboard_shares::{self, Share};
use millrace_storage::dashboards::Dashboard;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::audit;
use crate::errors::AnalyticsError;
use crate::member::ProjectMember;
use crate::routes::denials::{BadBody, NoAccess, NotSo};
use crate::state::State;

/// A link, without its secret.
#[derive(Serialize, ToSchema)]
struct ShareView {
    /// Its public id.
    id: Uuid,
    /// Who made it; `null` when their account is gone.
    created_by: Option<Uuid>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it stops working; `null`: when it is revoked.
    expires_at: Option<DateTime<Utc>>,
}

impl From<Share> for ShareView {
    fn from(Share { id, created_by, created_at, expires_at }: Share) -> Self {
        Self { id: id.0, created_by: created_by.map(|AccountId(id)| id), created_at, expires_at }
    }
}

/// A dashboard's links.
#[derive(Serialize, ToSchema)]
struct ShareList {
    /// Oldest first. Those that have expired are among them for a month.
    data: Vec<ShareView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
struct NewShareView {
    /// What opens the dashboard, as `Authorization: Bearer` of `GET /api/v1/shared/dashboard`. It is stored hashed: this
    /// is the only time it is shown. In a link it belongs behind a `#`, which browsers send to nobody.
    #[schema(example = "mrs_Zm9vYmFyYmF6cXV4cXV1eGNvcmdlZ3JhdWx0Z2FycGx5")]
    token: String,
    #[serde(flatten)]
    share: ShareView,
}

/// What a new link is made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewShare {
    /// When it stops working (RFC 3339); when it is revoked, if absent.
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
}

/// A dashboard's links
///
/// For its owner, and for the project's admins.
#[utoipa::path(
    operation_id = "list_shares",
    tag = "dashboards",
    params(("id" = Uuid, Path, description = "The dashboard"), Paging),
    responses((status = 200, description = "A page of links", body = ShareList), NoAccess),
)]
#[get("/api/v1/dashboards/{id}/shares")]
pub(in crate::routes) async fn list(
    caller: ProjectMember,
    id: web::Path<String>,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let dashboard: Dashboard = caller.disposable(&mut conn, &id).await?;
    let found = dashboard_shares::page(&mut conn, dashboard.id, page.after, page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, Share::place);
    Ok(HttpResponse::Ok().json(ShareList { data: found.into_iter().map(Into::into).collect(), next_cursor }))
}

/// Make a link to a dashboard
///
/// Whoever has it reads the dashboard without signing in. What is private on it stays out. At most 100 links of a
/// dashboard work at a time. For its owner, and for the project's admins.
#[utoipa::path(
    operation_id = "create_share",
    tag = "dashboards",
    params(("id" = Uuid, Path, description = "The dashboard")),
    request_body = NewShare,
    responses(
        (status = 201, description = "The link; its token is shown once", body = NewShareView),
        NoAccess,
        BadBody,
        NotSo,
    ),
)]
#[post("/api/v1/dashboards/{id}/shares")]
pub(in crate::routes) async fn create(
    caller: ProjectMember,
    id: web::Path<String>,
    request: HttpRequest,
    Json(new): Json<NewShare>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let now = (state.clock)();
    if new.expires_at.is_some_and(|end| end <= now) {
        return Err(Problem::field("expires_at", "invalid", "expires_at must be in the future"));
    }
    let mut conn = state.connection().await?;
    let dashboard: Dashboard = caller.disposable(&mut conn, &id).await?;
    let too_many = || {
        let detail =
            format!("{} links to the dashboard work already: revoke one first", dashboard_shares::MOST);
        Problem::new(Code::Conflict, detail)
    };
    let working = dashboard_shares::working(&mut conn, dashboard.id, now).await;
    if working.map_err(AnalyticsError::from)? >= dashboard_shares::MOST {
        return Err(too_many());
    }
    let token = ShareToken::generate().map_err(|error| Problem::internal(&error))?;
    let id = ShareId::new();
    // First: a link that is on no record is not made.
    let made = event(&state, &request, &caller, Action::ShareCreated, dashboard.id, id);
    let details = Details { expires_at: new.expires_at, ..made.details.clone() };
    audit::record(&state, made.with(details)).await?;
    let (by, hash) = (caller.member.account, token.hash());
    let share = dashboard_shares::create(&mut conn, id, dashboard.id, by, &hash, now, new.expires_at).await;
    let share = share.map_err(AnalyticsError::from)?.ok_or_else(too_many)?.into();
    Ok(HttpResponse::Created()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(NewShareView { token: token.reveal().to_owned(), share }))
}

/// Take a link away
///
/// For the dashboard's owner, and for the project's admins.
#[utoipa::path(
    operation_id = "revoke_share",
    tag = "dashboards",
    params(
        ("id" = Uuid, Path, description = "The dashboard"),
        ("share_id" = Uuid, Path, description = "The link"),
    ),
    responses((status = 204, description = "It opens nothing"), NoAccess),
)]
#[delete("/api/v1/dashboards/{id}/shares/{share_id}")]
pub(in crate::routes) async fn revoke(
    caller: ProjectMember,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (id, share) = path.into_inner();
    let mut conn = state.connection().await?;
    let dashboard: Dashboard = caller.disposable(&mut conn, &id).await?;
    let no_such_link = || Problem::new(Code::NotFound, "the dashboard has no such link");
    let share: ShareId = share.parse().map_err(|_not_an_id| no_such_link())?;
    let gone = dashboard_shares::revoke(&mut conn, dashboard.id, share).await;
    if !gone.map_err(AnalyticsError::from)? {
        return Err(no_such_link());
    }
    drop(conn);
    // Last: a link that is to open nothing must not go on because nobody can write it down.
    let revoked = event(&state, &request, &caller, Action::ShareRevoked, dashboard.id, share);
    if let Err(problem) = audit::record(&state, revoked.clone()).await {
        metrics::counter!("audit_events_lost_total").increment(1);
        let event = serde_json::to_string(&revoked).unwrap_or_default();
        tracing::error!(cause = problem.detail(), event, "a security event is lost");
    }
    Ok(HttpResponse::NoContent().finish())
}

/// What the audit log is told.
fn event(
    state: &State,
    request: &HttpRequest,
    caller: &ProjectMember,
    action: Action,
    dashboard: DashboardId,
    share: ShareId,
) -> SecurityEvent {
    let actor = Actor::Account(caller.member.account);
    SecurityEvent::new(action, actor, audit::origin(state, request), (state.clock)())
        .on(Target::Share(share))
        .within(caller.project)
        .with(Details { dashboard_id: Some(dashboard), ..Details::default() })
}
