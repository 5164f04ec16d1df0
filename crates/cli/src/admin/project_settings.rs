use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use millrace_domain::audit::Target;
use millrace_domain::audit::action::Action;
use millrace_domain::ids::ProjectId;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::Limit;
use millrace_messaging::broker::Broker;
use millrace_messaging::project_settings::Change;
use millrace_messaging::project_tables::{Setting, Table};
use millrace_storage::projects;

use super::audit::did;
use super::{Desk, note, say};

/// How long the broker may take.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit the events that a project may send, at once and until it is changed
#[derive(Args)]
pub(super) struct LimitEventsArgs {
    /// The project's id
    project: ProjectId,
    /// Such as `1000/s`, `1000/s burst 20000`, or `off`
    limit: Limit,
}

/// Limit the questions that may be asked of a project, whoever asks, at once and until it is changed
#[derive(Args)]
pub(super) struct LimitApiArgs {
    /// The project's id
    project: ProjectId,
    /// Such as `20/s`, `20/s burst 100`, or `off`
    limit: Limit,
}

/// Say whose pages may send events of a project, at once and until it is changed
#[derive(Args)]
pub(super) struct AllowOriginsArgs {
    /// The project's id
    project: ProjectId,
    /// Such as `https://shop.example,https://www.shop.example`; `*` for all
    origins: AllowedOrigins,
}

/// List the projects that may not send as many events as they like: id, limit
#[derive(Args)]
pub(super) struct ListEventLimitsArgs {}

/// List the projects that may not be asked as many questions as one likes: id, limit
#[derive(Args)]
pub(super) struct ListApiLimitsArgs {}

/// List the projects whose events not every page may send: id, origins
#[derive(Args)]
pub(super) struct ListOriginsArgs {}

pub(super) async fn limit_events(desk: &mut Desk, args: &LimitEventsArgs) -> anyhow::Result<()> {
    let change = Change { event_limit: Some(args.limit), ..Change::default() };
    make(desk, args.project, &change).await?;
    match args.limit.0 {
        Some(rate) => note(format_args!("{} may send {rate} events", args.project)),
        None => note(format_args!("{} may send as many events as it likes", args.project)),
    }
    Ok(())
}

pub(super) async fn limit_api(desk: &mut Desk, args: &LimitApiArgs) -> anyhow::Result<()> {
    let change = Change { api_limit: Some(args.limit), ..Change::default() };
    make(desk, args.project, &change).await?;
    match args.limit.0 {
        Some(rate) => note(format_args!("{} may be asked {rate} questions", args.project)),
        None => note(format_args!("{} may be asked as many questions as one likes", args.project)),
    }
    Ok(())
}

pub(super) async fn allow_origins(desk: &mut Desk, args: &AllowOriginsArgs) -> anyhow::Result<()> {
    let change = Change { event_origins: Some(args.origins.clone()), ..Change::default() };
    make(desk, args.project, &change).await?;
    match &args.origins {
        AllowedOrigins::Any => note(format_args!("any page may send events of {}", args.project)),
        these if !these.some() => note(format_args!("no page may send events of {}", args.project)),
        these => note(format_args!("pages of {these} may send events of {}", args.project)),
    }
    Ok(())
}

/// Makes a change, and records it.
async fn make(desk: &mut Desk, project: ProjectId, change: &Change) -> anyhow::Result<()> {
    ensure!(projects::find(&mut desk.conn, project).await?.is_some(), "there is no project {project}");
    let broker = connect(desk.nats_url.as_deref()).await?;
    change.make(&broker, project).await.context("nothing has changed")?;
    broker.close().await;
    let event = did(Action::ProjectSettingsChanged).on(Target::Project(project)).within(project);
    desk.record(event.with(change.details())).await
}

pub(super) async fn list<V: Setting>(nats_url: Option<&str>, table: Table<V>) -> anyhow::Result<()> {
    let broker = connect(nats_url).await?;
    for (project, value) in table.all(&broker).await? {
        say(format_args!("{project}  {value}"))?;
    }
    broker.close().await;
    Ok(())
}

/// The broker, which keeps the settings and tells the running services.
async fn connect(nats_url: Option<&str>) -> anyhow::Result<Broker> {
    let url = nats_url.context("NATS_URL is not set: the broker keeps the settings of projects")?;
    Ok(Broker::connect(url, "admin", BROKER_TIMEOUT).await?)
}
