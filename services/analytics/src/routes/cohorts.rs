//! `/api/v1/cohorts`: saved sets of users.

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};
use millrace_cache::data_versions::Month;
use millrace_domain::ids::CohortId;
use millrace_http::authorized::{Authorized, Read};
use millrace_http::json::Json;
use millrace_http::page::Paging;
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_http::revision::Seen;
use millrace_storage::cohorts::{self, Cohort};
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::kept::Asking;
use crate::member::ProjectMember;
use crate::questions::ask;
use crate::questions::cohorts::{self as questions, CohortMembersAnswer};
use crate::routes::denials::{BadLargeBody, NoAccess, Stale, Version};
use crate::routes::one::show_and_remove;
use crate::state::State;

mod content;
mod view;

use content::CohortContent;
use view::CohortView;

/// KiB of a definition, which may name many users; [`BadLargeBody`] says so.
const KIB: usize = 4_096;

/// Cohorts.
#[derive(Serialize, ToSchema)]
struct CohortList {
    /// By name.
    data: Vec<CohortView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// Cohorts of the project
///
/// By name.
#[utoipa::path(
    operation_id = "list_cohorts",
    tag = "cohorts",
    params(Paging),
    responses((status = 200, description = "A page of cohorts", body = CohortList), NoAccess),
)]
#[get("/api/v1/cohorts")]
pub(super) async fn list(
    caller: ProjectMember,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    let mut conn = state.connection().await?;
    let found = cohorts::page(&mut conn, caller.project, page.after.clone(), page.probe()).await;
    let mut found = found.map_err(AnalyticsError::from)?;
    let next_cursor = page.cut(&mut found, |cohort| (cohort.name.clone(), cohort.id));
    let data = found.into_iter().map(CohortView::from).collect();
    Ok(HttpResponse::Ok().json(CohortList { data, next_cursor }))
}

/// Keep a cohort
///
/// For editors of the project, and above.
#[utoipa::path(
    operation_id = "create_cohort",
    tag = "cohorts",
    request_body = CohortContent,
    responses((status = 201, description = "The cohort", body = CohortView), NoAccess, BadLargeBody),
)]
#[post("/api/v1/cohorts")]
pub(super) async fn create(
    caller: ProjectMember,
    Json(content): Json<CohortContent, KIB>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    caller.require_keeping()?;
    let checked = content.check()?;
    let (project, owner) = (caller.project, caller.member.account);
    let mut conn = state.connection().await?;
    let created = cohorts::create(&mut conn, project, owner, checked.whole()?, (state.clock)()).await;
    caller.made(conn, &state, created.map_err(AnalyticsError::from)?).await
}

show_and_remove! {
    Cohort as CohortView, "The cohort" of "cohorts", at "/api/v1/cohorts/{id}";
    /// A cohort
    ///
    /// Its `ETag` is what a change has to show.
    show = "show_cohort";
    /// Delete a cohort
    ///
    /// For its owner, and for the project's admins. Questions that ask for it are refused from then on.
    remove = "delete_cohort";
}

/// Change a cohort
///
/// For editors of the project, and above. `If-Match` says which version the caller has seen.
#[utoipa::path(
    operation_id = "change_cohort",
    tag = "cohorts",
    params(("id" = Uuid, Path, description = "The cohort"), Version),
    request_body = CohortContent,
    responses((status = 200, description = "The cohort", body = CohortView), NoAccess, BadLargeBody, Stale),
)]
#[patch("/api/v1/cohorts/{id}")]
pub(super) async fn change(
    caller: ProjectMember,
    id: web::Path<String>,
    seen: Seen,
    Json(content): Json<CohortContent, KIB>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let checked = content.check()?;
    let mut conn = state.connection().await?;
    let cohort: Cohort = caller.changeable(&mut conn, &id, None).await?;
    let (id, version) = (cohort.id, cohort.version);
    caller.having_seen(&mut conn, cohort, &seen).await?;
    let now = (state.clock)();
    let changed = cohorts::change(&mut conn, caller.project, id, version, checked.content(), now).await;
    caller.changed(conn, &state, id, changed.map_err(AnalyticsError::from)?).await
}

/// Who belongs to a cohort
///
/// How many users, and who they are, by their ids. For API keys as well.
#[utoipa::path(
    operation_id = "cohort_members",
    tag = "users",
    params(("id" = Uuid, Path, description = "The cohort"), Paging),
    responses(
        (
            status = 200, description = "A page of users", body = CohortMembersAnswer,
            example = json!({"size": 2, "data": [{"user_id": "ada"}, {"user_id": "bob"}], "next_cursor": null}),
        ),
    ),
)]
#[get("/api/v1/cohorts/{id}/members")]
pub(super) async fn members(
    caller: Authorized<Read>,
    id: web::Path<String>,
    Query(paging): Query<Paging>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let (project, page) = (caller.project_id, paging.page()?);
    let id: CohortId = id.parse().map_err(|_not_an_id| AnalyticsError::NoCohort)?;
    let asking = Asking::new("cohort", project, Month::FIRST..=Month::LAST, &request);
    let question = async move |reader: &mut _| questions::members(reader, project, id, page).await;
    ask(&state, &request, asking, question).await
}
