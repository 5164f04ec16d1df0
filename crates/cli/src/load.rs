//! `millrace load`: how many events a second, how quickly, and whether they all arrive.
//!
//! [`run`] carries out a [`Plan`] and [`Report`]s; [`watch_arrival`] compares what was accepted with
//! what can be queried. Both are the whole of the engine: a benchmark calls them as the command does.

mod arrival;
mod body;
mod engine;
mod output;
mod plan;
mod report;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, value_parser};

pub use arrival::{Arrival, watch_arrival};
pub use engine::{LoadError, run};
pub use plan::{Extent, Plan};
pub use report::Report;

use crate::client::{BaseUrl, Client, Key};
use crate::signal;

/// Generate load and measure
///
/// Sends events of a type of its own, each with its own id, and does not repeat what is refused.
/// Latency is measured from sending; with --rate from when a request was due, so that a server that
/// falls behind does not look fast.
///
/// With a read key it waits until as many events can be queried as were accepted. Exit codes: 0 all
/// arrived; 1 some did not, or nothing was accepted; 2 the run failed; 130 interrupted.
#[derive(Args)]
pub struct LoadArgs {
    /// Events a second [default: as fast as possible]
    #[arg(long, value_parser = positive)]
    rate: Option<f64>,
    /// How long to send [default: 10s, unless --events is given]
    #[arg(long, value_parser = humantime::parse_duration, conflicts_with = "events")]
    duration: Option<Duration>,
    /// How many events to send
    #[arg(long)]
    events: Option<u64>,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Events in a request
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u16).range(1..=10_000))]
    batch: u16,
    /// Different users
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    users: u32,
    /// Address of the server
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    url: BaseUrl,
    /// Key with the scope `ingest`
    #[arg(long, env = "MILLRACE_INGEST_KEY", hide_env_values = true)]
    key: Key,
    /// Key with the scope `read`, to see whether every event arrives
    #[arg(long, env = "MILLRACE_READ_KEY", hide_env_values = true)]
    read_key: Option<Key>,
    /// How long to wait for the last event to arrive
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    arrival_timeout: Duration,
    /// Send to a server that is not on this machine
    #[arg(long)]
    yes_remote: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("it must be a number above 0".to_owned()),
    }
}

/// Runs `millrace load`.
///
/// # Errors
/// When the run cannot begin or the server does not accept the key.
pub async fn execute(args: LoadArgs) -> anyhow::Result<ExitCode> {
    if !args.url.is_loopback() && !args.yes_remote {
        bail!("{} is not on this machine; give --yes-remote if you may load it", args.url);
    }
    let interrupted = signal::interruption()?;
    let extent = match args.events {
        Some(events) => Extent::Events(events),
        None => Extent::Time(args.duration.unwrap_or(Duration::from_secs(10))),
    };
    let plan = Plan {
        connections: usize::from(args.connections),
        batch: usize::from(args.batch),
        rate: args.rate,
        users: args.users,
        stop: interrupted.clone(),
        ..Plan::new(args.url.clone(), args.key, extent)
    };
    let report = run(plan).await?;
    let arrival = match args.read_key {
        Some(key) if report.accepted > 0 && !interrupted.is_cancelled() => {
            let client = Client::new(&args.url, key)?;
            Some(watch_arrival(&client, &report, args.arrival_timeout).await?)
        }
        _ => None,
    };
    output::print(&report, arrival.as_ref(), args.json)?;
    let failed = report.accepted == 0 || arrival.is_some_and(|arrival| !arrival.is_complete());
    Ok(ExitCode::from(if interrupted.is_cancelled() { signal::INTERRUPTED } else { u8::from(failed) }))
}
