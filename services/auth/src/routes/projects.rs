//! `/api/v1/projects`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::access::Role;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::text::Name;
use millrace_http::json::Json;
use millrace_http::page::{Page, Paging};
use millrace_http::problem::Problem;
use millrace_http::query::Query;
use millrace_messaging::revocations::Revoked;
use millrace_storage::projects::{self, Place, Project};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::project_access::{AtLeastViewer, ProjectAccess};
use crate::routes::denials::{BadBody, BadPage, NoAccess, NotSignedIn};
use crate::state::State;

/// A project, as its members see it.
#[derive(Serialize, ToSchema)]
struct ProjectView {
    /// Its id.
    id: Uuid,
    /// Its name.
    #[schema(example = "My shop")]
    name: String,
    /// The IANA zone that its days are days of.
    #[schema(example = "Europe/Paris")]
    timezone: &'static str,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// The caller's role in it; system admins are owners everywhere.
    #[schema(value_type = String, example = "owner")]
    role: &'static str,
}

impl ProjectView {
    fn new(project: Project, role: Role) -> Self {
        let Project { id, name, timezone, created_at } = project;
        Self { id: id.0, name, timezone: timezone.name(), created_at, role: role.as_str() }
    }
}

/// Projects.
#[derive(Serialize, ToSchema)]
struct ProjectList {
    /// Oldest first.
    data: Vec<ProjectView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

/// What a new project is made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewProject {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// An IANA time zone; UTC if absent. The days in answers are days there.
    #[schema(example = "Europe/Paris")]
    timezone: Option<String>,
}

/// The caller's projects
///
/// System admins see all.
#[utoipa::path(
    operation_id = "list_projects",
    tag = "projects",
    params(Paging),
    responses((status = 200, description = "A page of projects", body = ProjectList), NotSignedIn, BadPage),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects")]
pub(super) async fn list(
    caller: Caller,
    Query(paging): Query<Paging>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page = paging.page()?;
    Ok(HttpResponse::Ok().json(visible_to(&caller, &state, &page).await?))
}

async fn visible_to(caller: &Caller, state: &State, page: &Page<Place>) -> Result<ProjectList, AuthError> {
    let mut conn = state.connection().await?;
    let own = (!caller.claims.admin).then_some(caller.account.id);
    let mut found = projects::page(&mut conn, own, page.after, page.probe()).await?;
    let next_cursor = page.cut(&mut found, Project::place);
    let with_role = |project: Project| {
        let role = caller.claims.roles.get(&project.id).copied();
        let role = if caller.claims.admin { Some(Role::Owner) } else { role };
        Some(ProjectView::new(project, role?))
    };
    Ok(ProjectList { data: found.into_iter().filter_map(with_role).collect(), next_cursor })
}

/// Create a project
///
/// The caller becomes its owner.
#[utoipa::path(
    operation_id = "create_project",
    tag = "projects",
    request_body = NewProject,
    responses((status = 201, description = "The project", body = ProjectView), NotSignedIn, BadBody),
    security(("access_token" = [])),
)]
#[post("/api/v1/projects")]
pub(super) async fn create(
    caller: Caller,
    Json(new): Json<NewProject>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let name = Name::parse(new.name.trim())
        .map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?;
    let timezone = new
        .timezone
        .map_or(Ok(TimeZone::UTC), |name| TimeZone::parse(&name))
        .map_err(|unknown| Problem::field("timezone", "invalid", unknown.to_string()))?;
    let account_id = caller.account.id;
    let mut conn = state.connection().await?;
    let project = projects::create_owned(&mut conn, name.as_str(), timezone, account_id)
        .await
        .map_err(AuthError::from)?;
    drop(conn);
    announce(&state, Revoked::Roles { account_id }).await;
    let event = caller.did(Action::ProjectCreated).on(Target::Project(project.id)).within(project.id);
    record(&state, event).await;
    let location = format!("/api/v1/projects/{}", project.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .json(ProjectView::new(project, Role::Owner)))
}

/// A project
#[utoipa::path(
    operation_id = "show_project",
    tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The project", body = ProjectView), NoAccess),
    security(("access_token" = [])),
)]
#[get("/api/v1/projects/{id}")]
pub(super) async fn show(access: ProjectAccess<AtLeastViewer>) -> HttpResponse {
    HttpResponse::Ok().json(ProjectView::new(access.project, access.role))
}
