//! Starting work that takes longer than a request: who may, and who is told.
//!
//! A job is a row; the workers find it. That it is there is said on the broker, so that they need not look.

use millrace_domain::access::Role;
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::{AccountId, JobId, ProjectId};
use millrace_domain::jobs::Kind;
use millrace_domain::jobs::task::{Task, TaskFault};
use millrace_domain::notification::NotificationKind;
use millrace_http::problem::{Code, Problem};
use millrace_messaging::jobs as news;
use millrace_rows::{Mapped, Mapping};
use millrace_storage::jobs::{self, Job};
use serde_json::Value;

use crate::audit::record;
use crate::caller::Caller;
use crate::errors::AuthError;
use crate::state::State;

/// Reads what a job is to do.
///
/// # Errors
/// 422 that names the parameter at fault.
pub fn task(kind: Kind, parameters: Value) -> Result<Task, Problem> {
    let task = Task::parse(kind, parameters).map_err(|fault| match fault {
        TaskFault::Shape(_) => Problem::field("parameters", "invalid", format!("parameters: {fault}")),
        TaskFault::Field(name, _) => {
            Problem::field(&format!("parameters.{name}"), "invalid", fault.to_string())
        }
    })?;
    if let Task::Import(import) = &task {
        mapping(import.map.iter())?;
    }
    Ok(task)
}

/// Which column gives which field.
///
/// # Errors
/// 422 that names the field there is not.
pub fn mapping<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> Result<Mapping, Problem> {
    let one = |(column, field): (&String, &String)| {
        let mapped = format!("{column}={field}").parse::<Mapped>();
        mapped.map_err(|fault| Problem::field("parameters.map", "invalid", fault))
    };
    pairs.map(one).collect()
}

/// The least of the roles that may start jobs of this kind. Nobody but system admins starts maintenance.
///
/// # Errors
/// 403 for maintenance that somebody else wants.
pub fn role_for(kind: Kind, caller: &Caller) -> Result<Role, Problem> {
    match kind.started_by() {
        Some(role) => Ok(role),
        None if caller.claims.admin => Ok(Role::Owner),
        None => {
            Err(Problem::new(Code::Forbidden, format!("only system admins start jobs of the kind `{kind}`")))
        }
    }
}

/// Notes a job that `caller` may start, and tells everybody whom it concerns.
///
/// # Errors
/// When the database does not take it.
pub async fn start(
    state: &State,
    caller: &Caller,
    id: JobId,
    project: Option<ProjectId>,
    task: &Task,
) -> Result<Job, AuthError> {
    let job = note(state, id, project, task, Some(caller.account.id)).await?;
    let action = match task.kind() {
        Kind::Export => Some(Action::ExportStarted),
        Kind::DeleteUser => Some(Action::UserDeletionStarted),
        Kind::Replay => Some(Action::ReplayStarted),
        _ => None,
    };
    if let (Some(action), Some(project)) = (action, project) {
        record(state, caller.did(action).on(Target::Job(id)).within(project)).await;
    }
    Ok(job)
}

async fn note(
    state: &State,
    id: JobId,
    project: Option<ProjectId>,
    task: &Task,
    created_by: Option<AccountId>,
) -> Result<Job, AuthError> {
    let mut conn = state.connection().await?;
    let job = jobs::create(&mut conn, id, project, task, created_by).await?;
    drop(conn);
    announce(state, &job).await;
    Ok(job)
}

/// Tells everybody whom it concerns that a job was noted.
pub async fn announce(state: &State, job: &Job) {
    wake(state, job).await;
    tell(state, job, NotificationKind::JobCreated).await;
}

/// Wakes a worker. That none is reached costs some seconds.
pub async fn wake(state: &State, job: &Job) {
    if let Err(error) = news::wake(&state.broker, job.kind, job.id).await {
        metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
        tracing::warn!(%error, job = %job.id, "the workers will find the job when they look");
    }
}

/// Tells whoever looks at the project.
pub async fn tell(state: &State, job: &Job, happened: NotificationKind) {
    let Some(project) = job.project_id else { return };
    if let Err(error) = news::tell(&state.broker, project, happened, &job.news()).await {
        tracing::debug!(%error, job = %job.id, "nobody was told of the job");
    }
}
