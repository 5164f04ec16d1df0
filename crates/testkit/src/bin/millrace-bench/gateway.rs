//! What the gateway costs: the same question asked of a service through it and directly.

use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::generator::{self, Lane};
use crate::probe::{Outcome, Probe};
use crate::product::Product;
use crate::report::{Limit, Report, median};

const TIME: Duration = Duration::from_secs(3);
/// How often both are asked, in turns: what else changes on the machine meanwhile changes both.
const ROUNDS: usize = 5;
/// How often both are asked at the same time. More often, because what one core taken away for a few milliseconds does to a
/// round is as much as one in a hundred requests.
const ROUNDS_AT_HALF: usize = 9;
const CONNECTIONS: u32 = 64;
/// At that rate one request goes to the service itself for so many that pass the gateway.
const DIRECT_ONE_IN: u32 = 10;
/// What part of the requests that a service answers pass the gateway, at least.
const LEAST_OF_DIRECT: f64 = 0.4;
/// How many milliseconds it adds to a request, at half of what it passes.
const MOST_ADDED: f64 = 1.0;
/// As many as clients and proxies hold open without asking for anything.
const IDLE: usize = 2_000;

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["ingest", "gateway"]).await?;
    let directly = Probe::get(product.address("ingest")?, "/health/live", "");
    let through = Probe::get(product.address("gateway")?, "/api/v1/health/ingest/live", "");

    let (mut limits, mut mosts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        limits.push(directly.flat_out(CONNECTIONS, TIME).await?.per_second);
        mosts.push(through.flat_out(CONNECTIONS, TIME).await?.per_second);
    }
    let (limit, most) = (median(limits), median(mosts));
    let what = "/health/live of ingest, through the gateway";
    let at_least = Limit::AtLeast(LEAST_OF_DIRECT * limit);
    report.hold_beside(what, (most, "requests/s"), at_least, ("directly", limit));

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of requests is positive and far below four thousand million"
    )]
    let half = (most / 2.0) as u32;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS_AT_HALF {
        // At the same time, so that whatever keeps the machine busy keeps both waiting.
        let passed = Lane { probe: through.clone(), connections: CONNECTIONS, per_second: Some(half) };
        let direct = Lane {
            probe: directly.clone(),
            connections: CONNECTIONS,
            per_second: Some(half / DIRECT_ONE_IN),
        };
        let outcomes = spawn_blocking(move || generator::at_rates(vec![passed, direct], TIME)).await??;
        let mut outcomes = outcomes.into_iter();
        with.extend(outcomes.next());
        without.extend(outcomes.next());
    }
    report.add("half of that", f64::from(half), "requests/s");
    for (name, share) in [("p50", 0.50), ("p99", 0.99)] {
        let middle = |outcomes: &[Outcome]| median(outcomes.iter().map(|one| one.millis(share)).collect());
        let (without, with) = (middle(&without), middle(&with));
        report.compare(&format!("latency at that rate, {name}"), with, "ms", "directly", without);
        report.hold(&format!("added by the gateway, {name}"), with - without, "ms", Limit::Below(MOST_ADDED));
    }

    let calm = through.at_rate(200, TIME).await?;
    let memory = resident(&product);
    let held = through.hold_open(IDLE).await?;
    let crowded = through.at_rate(200, TIME).await?;
    report.compare(
        "p99 of others beside 2,000 idle connections",
        crowded.millis(0.99),
        "ms",
        "without",
        calm.millis(0.99),
    );
    report.add("memory that those connections take", resident(&product) - memory, "MiB");
    drop(held);
    Ok(())
}

/// The gateway's resident memory in MiB.
fn resident(product: &Product) -> f64 {
    product
        .memory()
        .into_iter()
        .find_map(|(name, mib)| (name == "gateway").then_some(mib))
        .unwrap_or_default()
}
