use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::Limit;
use millrace_messaging::broker::Broker;
use millrace_messaging::event_limits;
use millrace_storage::projects;

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

/// List the projects that may not send as many events as they like: id, limit
#[derive(Args)]
pub(super) struct ListEventLimitsArgs {}

pub(super) async fn set(desk: &mut Desk, args: &LimitEventsArgs) -> anyhow::Result<()> {
    ensure!(
        projects::find(&mut desk.conn, args.project).await?.is_some(),
        "there is no project {}",
        args.project
    );
    let broker = connect(desk.nats_url.as_deref()).await?;
    event_limits::set(&broker, args.project, args.limit).await.context("nothing has changed")?;
    broker.close().await;
    match args.limit.0 {
        Some(rate) => note(format_args!("{} may send {rate} events", args.project)),
        None => note(format_args!("{} may send as many events as it likes", args.project)),
    }
    Ok(())
}

pub(super) async fn list(nats_url: Option<&str>) -> anyhow::Result<()> {
    let broker = connect(nats_url).await?;
    for (project, rate) in event_limits::all(&broker).await? {
        say(format_args!("{project}  {rate}"))?;
    }
    broker.close().await;
    Ok(())
}

/// The broker, which keeps the limits and tells the running services.
async fn connect(nats_url: Option<&str>) -> anyhow::Result<Broker> {
    let url = nats_url.context("NATS_URL is not set: the broker keeps the limits")?;
    Ok(Broker::connect(url, "admin", BROKER_TIMEOUT).await?)
}
