//! What the gateway costs: the same question asked of a service through it and directly.

use std::time::Duration;

use crate::probe::Probe;
use crate::product::Product;
use crate::report::Report;

const TIME: Duration = Duration::from_secs(5);
const CONNECTIONS: u32 = 64;
/// Enough that at half of the gateway's capacity no request waits for another one's connection.
const AT_HALF: u32 = 32;
/// As many as clients and proxies hold open without asking for anything.
const IDLE: usize = 2_000;

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["ingest", "gateway"]).await?;
    let directly = Probe::get(product.address("ingest")?, "/health/live", "");
    let through = Probe::get(product.address("gateway")?, "/api/v1/health/ingest/live", "");

    let limit = directly.flat_out(CONNECTIONS, TIME).await?;
    let most = through.flat_out(CONNECTIONS, TIME).await?;
    report.compare(
        "/health/live of ingest, through the gateway",
        most.per_second,
        "requests/s",
        "directly",
        limit.per_second,
    );

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate of requests is positive and far below four thousand million"
    )]
    let half = (most.per_second / 2.0) as u32;
    let without = directly.at_rate_over(AT_HALF, half, TIME).await?;
    let with = through.at_rate_over(AT_HALF, half, TIME).await?;
    report.add("half of that", f64::from(half), "requests/s");
    for (name, share) in [("p50", 0.50), ("p99", 0.99)] {
        let what = format!("latency at that rate, {name}");
        report.compare(&what, with.millis(share), "ms", "directly", without.millis(share));
        let added = format!("added by the gateway, {name}");
        report.add(&added, with.millis(share) - without.millis(share), "ms");
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
