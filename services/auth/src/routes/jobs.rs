//! `/api/v1/jobs`.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use millrace_domain::ids::{JobId, ProjectId};
use millrace_domain::jobs::{Kind, Progress, Status};
use millrace_domain::notification::NotificationKind;
use millrace_http::json::Json;
use millrace_http::page::Page;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_http::query::Query;
use millrace_storage::jobs::{self, Filter, Job};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::caller::Caller;
use crate::errors::AuthError;
use crate::jobs::{role_for, start, task, tell, wake};
use crate::project_access::{AtLeastViewer, ProjectAccess, project_meant, unnamed};
use crate::routes::denials::{BadBody, BadPage, NoAccess};
use crate::state::State;

pub(super) mod download;
pub(super) mod upload;

/// A job.
#[derive(Serialize, ToSchema)]
struct JobView {
    /// Its id.
    id: Uuid,
    /// Its project; `null` for maintenance of the installation.
    project_id: Option<Uuid>,
    /// `import`, `export`, `replay`, `delete_user` or `rebuild`; `retention`, `compaction`, `compression`, `statistics`
    /// or `cleanup` for maintenance.
    #[schema(value_type = String, example = "export")]
    kind: Kind,
    /// `pending`, `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String, example = "running")]
    status: Status,
    /// What it was told to do. A deleted user's name is taken out.
    #[schema(example = json!({"format": "csv", "compression": "gzip"}))]
    parameters: Value,
    /// How far it is.
    progress: ProgressView,
    /// The account that wanted it; `null`: the system.
    created_by: Option<Uuid>,
    /// When it was asked for.
    created_at: DateTime<Utc>,
    /// When it was first worked on.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// How often it was tried since it last came further.
    attempts: u32,
    /// What came of it; docs/jobs.md has it for each kind.
    result: Option<Value>,
    /// What went wrong last.
    error: Option<String>,
    /// Where its files are, once there are any.
    #[schema(example = "/api/v1/jobs/0199a0de-7a8e-7c3e-8f5e-3c1a52d5a7b1/download")]
    download: Option<String>,
}

/// How far a job is, in units of its kind: rows, days.
#[derive(Serialize, ToSchema)]
struct ProgressView {
    /// What is done.
    done: u64,
    /// All that is to be done, once it is known.
    total: Option<u64>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let Progress { done, total } = job.progress;
        let files = download::Files::of(&job);
        Self {
            id: job.id.0,
            project_id: job.project_id.map(|id| id.0),
            kind: job.kind,
            status: job.status,
            parameters: job.parameters,
            progress: ProgressView { done, total },
            created_by: job.created_by.map(|id| id.0),
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            attempts: job.attempts,
            result: job.result,
            error: job.error,
            download: files.is_some().then(|| format!("/api/v1/jobs/{}/download", job.id)),
        }
    }
}

/// Jobs.
#[derive(Serialize, ToSchema)]
struct JobList {
    /// Newest first.
    data: Vec<JobView>,
    /// Where the next page begins; `null` after the last.
    next_cursor: Option<String>,
}

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
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Of one kind.
    #[param(nullable = false)]
    kind: Option<String>,
    /// With one status.
    #[param(nullable = false)]
    status: Option<String>,
    /// How many jobs a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

fn one_of<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<&str>,
) -> Result<Option<T>, Problem> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|fault| Problem::field(name, "invalid", format!("{name}: {fault}")))
}

/// A project's jobs
///
/// Newest first. Every member sees them. A system admin who names no project sees all, maintenance included.
#[utoipa::path(
    operation_id = "list_jobs",
    tag = "jobs",
    params(("X-Project-Id" = Option<Uuid>, Header, description = "The project, for whoever has several"), Asked),
    responses((status = 200, description = "A page of jobs", body = JobList), NoAccess, BadPage),
    security(("access_token" = [])),
)]
#[get("/api/v1/jobs")]
pub(super) async fn list(
    caller: Caller,
    Query(asked): Query<Asked>,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let page: Page<JobId> = Page::parse(asked.limit.as_deref(), asked.cursor.as_deref())?;
    let project = project_meant(&caller, &request)?;
    let filter = Filter {
        project,
        kind: one_of("kind", asked.kind.as_deref())?,
        status: one_of("status", asked.status.as_deref())?,
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

/// A job, and proof that the caller may see it.
struct Seen {
    job: Job,
    /// None for maintenance, which system admins see.
    access: Option<ProjectAccess<AtLeastViewer>>,
}

async fn see(caller: Caller, request: &HttpRequest, state: &State) -> Result<Seen, Problem> {
    let missing = || Problem::new(Code::NotFound, "there is no such job, or it is not yours to see");
    let id: JobId = request.match_info().query("id").parse().map_err(|_not_an_id| missing())?;
    let mut conn = state.connection().await?;
    let job = jobs::find(&mut conn, id).await.map_err(AuthError::from)?.ok_or_else(missing)?;
    drop(conn);
    let access = match job.project_id {
        Some(project) => Some(access_to(state, caller, project, request).await.map_err(|problem| {
            // To strangers, a job that exists is no different from one that does not.
            if problem.code() == Code::NotFound { missing() } else { problem }
        })?),
        None if caller.claims.admin => None,
        None => return Err(missing()),
    };
    Ok(Seen { job, access })
}

async fn access_to(
    state: &State,
    caller: Caller,
    project: ProjectId,
    request: &HttpRequest,
) -> Result<ProjectAccess<AtLeastViewer>, Problem> {
    ProjectAccess::of(state, caller, project, request).await
}

impl Seen {
    /// That the caller may do to it what it takes this role to start it.
    async fn may_change(&self, state: &State) -> Result<(), Problem> {
        match (&self.access, self.job.kind.started_by()) {
            (Some(access), Some(role)) => access.require_role(state, role).await,
            _ => Ok(()),
        }
    }
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
pub(super) async fn show(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let seen = see(caller, &request, &state).await?;
    Ok(HttpResponse::Ok().json(JobView::from(seen.job)))
}

/// Cancel a job
///
/// Whoever may start it may. What it has done by then stays done. A job that a worker has in hand stops within moments:
/// until then it is `running`.
#[utoipa::path(
    operation_id = "cancel_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses(
        (status = 202, description = "The job", body = JobView),
        (status = 409, description = "It has ended", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/jobs/{id}/cancel")]
pub(super) async fn cancel(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let seen = see(caller, &request, &state).await?;
    seen.may_change(&state).await?;
    let mut conn = state.connection().await?;
    let cancelled = jobs::cancel(&mut conn, seen.job.id).await.map_err(AuthError::from)?;
    drop(conn);
    let job = cancelled.ok_or_else(|| Problem::new(Code::Conflict, "the job has ended already"))?;
    if job.status == Status::Cancelled {
        tell(&state, &job, NotificationKind::JobCancelled).await;
    }
    Ok(accepted(job))
}

/// Resume a job
///
/// One that failed or was cancelled goes on where it ended.
#[utoipa::path(
    operation_id = "resume_job",
    tag = "jobs",
    params(("id" = Uuid, Path, description = "The job")),
    responses(
        (status = 202, description = "The job, which waits for a worker", body = JobView),
        (status = 409, description = "It neither failed nor was cancelled", body = ProblemBody, content_type = "application/problem+json"),
        NoAccess,
    ),
    security(("access_token" = [])),
)]
#[post("/api/v1/jobs/{id}/resume")]
pub(super) async fn resume(
    caller: Caller,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let seen = see(caller, &request, &state).await?;
    seen.may_change(&state).await?;
    let mut conn = state.connection().await?;
    let resumed = jobs::resume(&mut conn, seen.job.id).await.map_err(AuthError::from)?;
    drop(conn);
    let job = resumed
        .ok_or_else(|| Problem::new(Code::Conflict, "the job has neither failed nor been cancelled"))?;
    wake(&state, &job).await;
    tell(&state, &job, NotificationKind::JobUpdated).await;
    Ok(accepted(job))
}
