use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::{JobId, ProjectId};
use millrace_domain::jobs::task::Task;
use millrace_domain::jobs::{Kind, Status};
use millrace_messaging::broker::Broker;
use millrace_messaging::jobs::wake;
use millrace_storage::jobs::{self, Filter, Job};
use serde_json::Value;

use super::announcement::BROKER_TIMEOUT;
use super::audit::did;
use super::{Desk, note, say};

/// Work that takes longer than a request
#[derive(Subcommand)]
pub(super) enum JobsCommand {
    List(ListArgs),
    Start(StartArgs),
    Cancel(CancelArgs),
    Resume(ResumeArgs),
}

/// List jobs, newest first: id, kind, status, progress, project, error
#[derive(Args)]
pub(super) struct ListArgs {
    /// Of this project
    #[arg(long)]
    project: Option<ProjectId>,
    /// Of this kind
    #[arg(long)]
    kind: Option<Kind>,
    /// With this status
    #[arg(long)]
    status: Option<Status>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u16,
}

/// Start a job, and print its id
///
/// Kinds of a project: import, export, delete_user, rebuild. Maintenance: retention, compaction, compression,
/// statistics, cleanup.
#[derive(Args)]
pub(super) struct StartArgs {
    kind: Kind,
    /// The project
    #[arg(long)]
    project: Option<ProjectId>,
    /// What exactly, as a JSON object, such as '{"format": "csv"}'
    #[arg(long, value_name = "JSON", value_parser = |text: &str| serde_json::from_str::<Value>(text))]
    parameters: Option<Value>,
}

/// Stop a job; what it has done by then stays done
#[derive(Args)]
pub(super) struct CancelArgs {
    id: JobId,
}

/// Let a job that failed or was cancelled go on where it ended
#[derive(Args)]
pub(super) struct ResumeArgs {
    id: JobId,
}

/// Make the roll-ups of a project from its events anew, and print the job's id
#[derive(Args)]
pub(super) struct RebuildArgs {
    /// The project's id
    project: ProjectId,
}

pub(super) async fn execute(desk: &mut Desk, command: JobsCommand) -> anyhow::Result<()> {
    match command {
        JobsCommand::List(args) => list(desk, &args).await,
        JobsCommand::Start(StartArgs { kind, project, parameters }) => {
            check_project(kind, project)?;
            let task = Task::parse(kind, parameters.unwrap_or_default()).context("the parameters")?;
            start(desk, project, &task).await
        }
        JobsCommand::Cancel(CancelArgs { id }) => {
            let job = jobs::cancel(&mut desk.conn, id).await?;
            let job = job.with_context(|| format!("there is no job {id} that has not ended"))?;
            match job.status {
                Status::Cancelled => say(format_args!("{id} is cancelled")),
                _ => say(format_args!("{id} will stop in a moment")),
            }?;
            Ok(())
        }
        JobsCommand::Resume(ResumeArgs { id }) => {
            let job = jobs::resume(&mut desk.conn, id).await?;
            let job = job.with_context(|| format!("there is no job {id} that failed or was cancelled"))?;
            tell_workers(desk, &job).await;
            say(format_args!("{id} goes on"))?;
            Ok(())
        }
    }
}

pub(super) async fn rebuild(desk: &mut Desk, args: &RebuildArgs) -> anyhow::Result<()> {
    start(desk, Some(args.project), &Task::Rebuild).await
}

fn check_project(kind: Kind, project: Option<ProjectId>) -> anyhow::Result<()> {
    match (project, kind.started_by()) {
        (None, Some(_)) => bail!("a job of the kind {kind} needs a --project"),
        (Some(_), None) => bail!("a job of the kind {kind} is about the installation, not about a project"),
        _ => Ok(()),
    }
}

async fn start(desk: &mut Desk, project: Option<ProjectId>, task: &Task) -> anyhow::Result<()> {
    let kind = task.kind();
    let job = jobs::create(&mut desk.conn, JobId::new(), project, task, None).await?;
    tell_workers(desk, &job).await;
    say(job.id)?;
    let action = match kind {
        Kind::Export => Action::ExportStarted,
        Kind::DeleteUser => Action::UserDeletionStarted,
        Kind::Replay => Action::ReplayStarted,
        _ => return Ok(()),
    };
    let event = did(action).on(Target::Job(job.id));
    desk.record(match project {
        Some(project) => event.within(project),
        None => event,
    })
    .await
}

async fn list(desk: &mut Desk, args: &ListArgs) -> anyhow::Result<()> {
    let filter = Filter { project: args.project, kind: args.kind, status: args.status };
    for job in jobs::page(&mut desk.conn, filter, None, args.limit).await? {
        let project = job.project_id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let progress = match job.progress.total {
            Some(total) => format!("{}/{total}", job.progress.done),
            None => job.progress.done.to_string(),
        };
        let error = job.error.map(|error| format!("  {error}")).unwrap_or_default();
        say(format_args!("{}  {}  {}  {progress}  {project}{error}", job.id, job.kind, job.status))?;
    }
    Ok(())
}

/// Says that there is something to do. Workers that are not reached find it by themselves.
async fn tell_workers(desk: &Desk, job: &Job) {
    let told = async {
        let url = desk.nats_url.as_deref()?;
        let broker = Broker::connect(url, "admin", BROKER_TIMEOUT).await.ok()?;
        wake(&broker, job.kind, job.id).await.ok()?;
        broker.close().await;
        Some(())
    };
    if !matches!(tokio::time::timeout(BROKER_TIMEOUT, told).await, Ok(Some(()))) {
        note("no worker was told: they look by themselves every few seconds");
    }
}
