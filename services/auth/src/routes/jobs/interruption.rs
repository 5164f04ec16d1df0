//! `POST /api/v1/jobs/{id}/cancel` and `/resume`.

use actix_web::{HttpResponse, post, web};
use millrace_domain::jobs::Status;
use millrace_domain::notification::NotificationKind;
use millrace_http::problem::{Code, Problem, ProblemBody};
use millrace_storage::error::StorageError;
use millrace_storage::jobs::{self, Job};

use super::accepted;
use super::seen::Seen;
use super::view::JobView;
use crate::errors::AuthError;
use crate::jobs::{tell, wake};
use crate::routes::denials::NoAccess;
use crate::state::State;

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
pub(in crate::routes) async fn cancel(seen: Seen, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    seen.may_change(&state).await?;
    let outcome = jobs::cancel(&mut *state.connection().await?, seen.job.id).await;
    let job = changed(outcome, "the job has ended already")?;
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
pub(in crate::routes) async fn resume(seen: Seen, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    seen.may_change(&state).await?;
    let outcome = jobs::resume(&mut *state.connection().await?, seen.job.id).await;
    let job = changed(outcome, "the job has neither failed nor been cancelled")?;
    wake(&state, &job).await;
    tell(&state, &job, NotificationKind::JobUpdated).await;
    Ok(accepted(job))
}

/// The job as it was changed; 409 and these words where it was not in a state for that.
fn changed(outcome: Result<Option<Job>, StorageError>, conflict: &str) -> Result<Job, Problem> {
    outcome.map_err(AuthError::from)?.ok_or_else(|| Problem::new(Code::Conflict, conflict))
}
