//! `/api/v1/projects`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::access::Role;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Details, Target};
use millrace_domain::text::Name;
use millrace_http::json::Json;
use millrace_http::page::{Page, Paging};
use millrace_http::problem::{Code, Problem};
use millrace_http::query::Query;
use millrace_messaging::revocations::Revoked;
use millrace_storage::projects::{self, Changed, Changes, Place, Project};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::announcements::announce;
use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::jobs;
use crate::project_access::{AtLeastOwner, AtLeastViewer, ProjectAccess};
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
    /// How many days it keeps its events; `null`: for ever.
    #[schema(example = 365)]
    retention_days: Option<u32>,
    /// Whether counts and who was active stay known when the events go.
    keeps_roll_ups: bool,
    /// The caller's role in it; system admins are owners everywhere.
    #[schema(value_type = String, example = "owner")]
    role: &'static str,
}

impl ProjectView {
    fn new(project: Project, role: Role) -> Self {
        let Project { id, name, timezone, created_at, retention_days, keeps_roll_ups, .. } = project;
        let (id, timezone, role) = (id.0, timezone.name(), role.as_str());
        Self { id, name, timezone, created_at, retention_days, keeps_roll_ups, role }
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

/// What is to be another from then on; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ProjectChanges {
    /// 1 to 100 characters.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// An IANA time zone. The roll-ups are rebuilt: until that job has ended, questions about who was active are answered
    /// from the events, and take longer.
    #[schema(example = "Europe/Paris")]
    timezone: Option<String>,
    /// How many days events are kept, 1 to 36500; `null`: for ever. What is older goes within the hour.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36500)]
    retention_days: Option<Option<u32>>,
    /// Whether counts and who was active stay known when the events go.
    keeps_roll_ups: Option<bool>,
}

/// Tells `null` from what is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl ProjectChanges {
    fn parse(self) -> Result<Changes, Problem> {
        let name = self.name.map(|name| Name::parse(name.trim())).transpose();
        let name = name.map_err(|fault| Problem::field("name", "invalid", format!("name {fault}")))?;
        let timezone = self.timezone.map(|name| TimeZone::parse(&name)).transpose();
        let timezone =
            timezone.map_err(|unknown| Problem::field("timezone", "invalid", unknown.to_string()))?;
        if self.retention_days.flatten().is_some_and(|days| !(1..=36_500).contains(&days)) {
            let message = "retention_days must be 1 to 36500, or null to keep events for ever";
            return Err(Problem::field("retention_days", "out_of_range", message));
        }
        Ok(Changes {
            name: name.map(|name| name.as_str().to_owned()),
            timezone,
            retention_days: self.retention_days,
            keeps_roll_ups: self.keeps_roll_ups,
        })
    }
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

/// Change a project
///
/// Owners do. Another time zone starts a job that rebuilds the roll-ups.
#[utoipa::path(
    operation_id = "change_project",
    tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = ProjectChanges,
    responses((status = 200, description = "The project", body = ProjectView), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[patch("/api/v1/projects/{id}")]
pub(super) async fn change(
    access: ProjectAccess<AtLeastOwner>,
    Json(changes): Json<ProjectChanges>,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let changes = changes.parse()?;
    let id = access.project.id;
    let mut conn = state.connection().await?;
    let by = Some(access.caller.account.id);
    let changed = projects::change(&mut conn, id, &changes, by).await.map_err(AuthError::from)?;
    drop(conn);
    let Changed { after, rebuild, .. } = changed
        .ok_or_else(|| Problem::new(Code::NotFound, "there is no such project, or it is not yours to see"))?;
    if let Some(job) = rebuild {
        // Counted and logged where it fails; answers are kept for seconds only.
        let _ = state.versions.renew_all(id).await;
        jobs::announce(&state, &job).await;
    }
    let details = Details {
        timezone: changes.timezone,
        retention_days: changes.retention_days.map(Option::unwrap_or_default),
        keeps_roll_ups: changes.keeps_roll_ups,
        ..Details::default()
    };
    record(&state, access.did(Action::ProjectChanged).on(Target::Project(id)).with(details)).await;
    Ok(HttpResponse::Ok().json(ProjectView::new(after, access.role)))
}
