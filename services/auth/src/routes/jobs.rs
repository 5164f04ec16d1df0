//! `/api/v1/jobs`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use millrace_domain::ids::JobId;
use millrace_domain::jobs::Kind;
use millrace_http::json::Json;
use millrace_http::page::{Page, Paged, Paging};
use millrace_http::problem::{Code, Problem};
use millrace_http::query::{Query, parameter};
use millrace_storage::jobs::{self, Filter, Job};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::caller::Caller;
use crate::errors::AuthError;
use crate::jobs::{role_for, start, task};
use crate::project_access::{AtLeastViewer, ProjectAccess, project_meant, unnamed};
use crate::routes::denials::{BadBody, BadParameter, NoAccess};
use crate::state::State;

pub(super) mod download;
pub(super) mod interruption;
mod seen;
pub(super) mod upload;
mod view;

use seen::Seen;
use view::{JobList, JobView};

/// What a new job is made of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewJob {
    /// `import`, `export`, `replay`, `delete_user` or `rebuild`; system admins also start maintenance.
    #[schema(example = "export")]
    kind: String,
    /// What exactly; docs/jobs.md has it for each kind.
    #[serde(default)]
    #[schema(example = json!({"format": "csv", "from": "2026-11-01T00:00:00Z"}))]
    parameters: Value,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Of one kind.
    #[param(nullable = false)]
    kind: Option<String>,
    /// With one status.
    #[param(nullable = false)]
    status: Option<String>,
}

/// A project's jobs
///
/// Newest first. Every member sees them. A system admin who names no project sees all, maintenance included.
#[utoipa::path(
    operation_id = "list_jobs",
    tag = "jobs",
    params(("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"), Wanted, Paging),
    responses((status = 200, description = "A page of jobs", body = JobList), NoAccess, BadParameter),
    security(("access_token" = [])),
)]
#[get("/api/v1/jobs")]
pub(super) async fn list(
    caller: Caller,
    Query(asked): Query<Paged<Wanted>>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Paged { wanted, paging } = asked;
    let page: Page<JobId> = paging.page()?;
    let project = project_meant(&caller, &request)?;
    let filter = Filter {
        project,
        kind: parameter("kind", wanted.kind.as_deref(), str::parse)?,
        status: parameter("status", wanted.status.as_deref(), str::parse)?,
    };
    if let Some(project) = project {
        ProjectAccess::<AtLeastViewer>::of(&state, caller, project, &request).await?;
    }
    let mut conn = state.connection().await?;
    let found = jobs::page(&mut conn, filter, page.after, page.probe()).await;
    let mut found = found.map_err(AuthError::from)?;
    let next_cursor = page.cut(&mut found, |job| job.id);
    Ok(HttpResponse::Ok().json(JobList { data: found.into_iter().map(JobView::from).collect(), next_cursor }))
}

/// Start a job
///
/// Editors import and export; admins and owners delete users, rebuild and replay. It is worked on in the background:
/// ask for it again to see how far it is, or listen to the notifications.
#[utoipa::path(
    operation_id = "create_job",
    tag = "jobs",
    params(("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several")),
    request_body = NewJob,
    responses((status = 202, description = "The job, which waits for a worker", body = JobView), NoAccess, BadBody),
    security(("access_token" = [])),
)]
#[post("/api/v1/jobs")]
pub(super) async fn create(
    caller: Caller,
    Json(new): Json<NewJob>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let kind: Kind =
        new.kind.parse().map_err(|fault| Problem::field("kind", "invalid", format!("{fault}")))?;
    let meant = project_meant(&caller, &request)?;
    let (caller, project) = match (meant, kind.started_by()) {
        (Some(project), _) => {
            let access = ProjectAccess::<AtLeastViewer>::of(&state, caller, project, &request).await?;
            access.require_role(&state, role_for(kind, &access.caller)?).await?;
            (access.caller, Some(project).filter(|_| kind.started_by().is_some()))
        }
        (None, Some(_)) => return Err(unnamed()),
        (None, None) => {
            role_for(kind, &caller)?;
            (caller, None)
        }
    };
    let task = task(kind, new.parameters)?;
    if matches!(kind, Kind::Import | Kind::Export) && state.files.is_none() {
        return Err(no_files());
    }
    let job = start(&state, &caller, JobId::new(), project, &task).await?;
    Ok(accepted(job))
}

fn accepted(job: Job) -> HttpResponse {
    let location = format!("/api/v1/jobs/{}", job.id);
    HttpResponse::Accepted().insert_header((LOCATION, location)).json(JobView::from(job))
}

fn no_files() -> Problem {
    let detail = "this installation has no place for files: whoever runs it can set MILLRACE_EXPORTS";
    Problem::new(Code::Unavailable, detail)
}

/// A job
#[utoipa::path(
    operation_id = "show_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses((status = 200, description = "The job", body = JobView), NoAccess),
    security(("access_token" = [])),
)]
#[get("/api/v1/jobs/{id}")]
pub(super) async fn show(seen: Seen) -> HttpResponse {
    HttpResponse::Ok().json(JobView::from(seen.job))
}
