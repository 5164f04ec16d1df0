//! The benchmarks of `make bench`: each figure beside its limit or its peer from the same run.
//!
//! Everything runs on this machine, the load generator included: the figures say what one box does, all in all.

mod accounts;
mod copy;
mod footprint;
mod gateway;
mod generator;
mod ingest;
mod jobs;
mod live;
mod overload;
mod population;
mod probe;
mod product;
mod queries;
mod questions;
mod report;
mod sets_cost;
mod single;
mod sustained;
mod watchers;
mod worker;

use clap::Parser;
use report::Report;

/// Measure Millrace on this machine
#[derive(Parser)]
struct Args {
    /// Which benchmarks to run [default: all]
    #[arg(value_enum)]
    only: Vec<Benchmark>,
    /// Events to ingest
    #[arg(long, default_value_t = 1_000_000)]
    ingest_events: u64,
    /// Events to ask questions about
    #[arg(long, default_value_t = 10_000_000)]
    query_events: u64,
    /// Distinct users among them
    #[arg(long, default_value_t = 1_000_000)]
    query_users: u64,
    /// Rows to import and to export again
    #[arg(long, default_value_t = 5_000_000)]
    job_rows: u64,
    /// Clients that watch live events
    #[arg(long, default_value_t = 5_000)]
    live_clients: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Benchmark {
    /// Batched ingest through the gateway, against a plain COPY.
    Ingest,
    /// Ingest of one event a request, against the server's own health route.
    Single,
    /// A minute of batched ingest, flat out.
    Sustained,
    /// Twice what can be stored, for a minute.
    Overload,
    /// Questions, against plain SQL.
    Queries,
    /// The worker: several at one log, and events that the database refuses.
    Worker,
    /// An import and an export, killed half-way, and the memory they take.
    Jobs,
    /// Token checks, and logins beside them.
    Accounts,
    /// Live events over WebSockets.
    Live,
    /// What the gateway costs.
    Gateway,
    /// The memory of each service.
    Footprint,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runs = |benchmark| args.only.is_empty() || args.only.contains(&benchmark);
    if runs(Benchmark::Ingest) {
        let mut report = Report::new("ingest");
        ingest::measure(&mut report, args.ingest_events).await?;
        report.finish()?;
    }
    if runs(Benchmark::Worker) {
        let mut report = Report::new("worker");
        worker::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Single) {
        let mut report = Report::new("single");
        single::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Sustained) {
        let mut report = Report::new("sustained");
        sustained::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Overload) {
        let mut report = Report::new("overload");
        overload::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Queries) {
        let mut report = Report::new("queries");
        queries::measure(&mut report, args.query_events, args.query_users).await?;
        sets_cost::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Jobs) {
        let mut report = Report::new("jobs");
        jobs::measure(&mut report, args.job_rows).await?;
        report.finish()?;
    }
    if runs(Benchmark::Accounts) {
        let mut report = Report::new("accounts");
        accounts::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Live) {
        let mut report = Report::new("live");
        live::measure(&mut report, args.live_clients).await?;
        report.finish()?;
    }
    if runs(Benchmark::Gateway) {
        let mut report = Report::new("gateway");
        gateway::measure(&mut report).await?;
        report.finish()?;
    }
    if runs(Benchmark::Footprint) {
        let mut report = Report::new("footprint");
        footprint::measure(&mut report).await?;
        report.finish()?;
    }
    Ok(())
}
