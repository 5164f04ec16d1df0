//! Twice as many events as can be stored, for a minute, with a log that holds some seconds of them: what is too much is
//! refused, what was accepted is stored, and nothing grows.

use std::time::{Duration, Instant};

use anyhow::ensure;
use millrace_cli::load::{Extent, Plan, run};

use crate::product::Product;
use crate::report::{Limit, Report};

const SERVICES: [&str; 4] = ["auth", "ingest", "worker", "gateway"];
/// Long enough for a rate; the disk is slower once its own cache is full.
const CALIBRATION: Extent = Extent::Events(1_000_000);
const TIME: Duration = Duration::from_secs(60);
/// Some seconds of events.
const LOG: &str = "64MiB";
/// Enough that those that rest after a refusal leave others to send.
const CONNECTIONS: usize = 256;
const WATCH: Duration = Duration::from_secs(1);
/// How long the gauge of a drained log may take to say so: it looks once a second.
const PATIENCE: Duration = Duration::from_secs(5);
const LAG: &str = "worker_consumer_lag";

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let sustainable = sustainable_rate().await?;
    let product = Product::start_with(&SERVICES, &[("MILLRACE_EVENTS_BYTES", LOG)]).await?;
    let plan = Plan {
        connections: CONNECTIONS,
        rate: Some(2.0 * sustainable),
        ..Plan::new(product.url_for_load()?, product.key_for_load()?, Extent::Time(TIME))
    };
    let mut load = std::pin::pin!(run(plan));
    let mut most_behind: f64 = 0.0;
    let load = loop {
        tokio::select! {
            load = &mut load => break load?,
            () = tokio::time::sleep(WATCH) => most_behind = most_behind.max(product.metric("worker", LAG).await?),
        }
    };
    let ended = Instant::now();
    let peaks = product.peak_memory();
    // A request that was refused because the log was slow to answer may be in it all the same.
    let stored = product.until_stored(load.accepted, load.refused + load.in_doubt).await?;
    let drained = ended.elapsed();
    while product.metric("worker", LAG).await? > 0.0 {
        ensure!(ended.elapsed() < drained + PATIENCE, "everything is stored, and {LAG} does not say so");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    let seconds = load.elapsed.as_secs_f64();
    let requests = |ours: fn(u16) -> bool| -> u64 {
        load.statuses.iter().filter(|(status, _)| ours(**status)).map(|(_, requests)| requests).sum()
    };
    let other = requests(|status| !matches!(status, 202 | 429 | 503)) + load.errors.values().sum::<u64>();
    report.compare("sent", load.sent as f64 / seconds, "events/s", "sustainable rate", sustainable);
    report.compare("accepted", load.accepted as f64 / seconds, "events/s", "sustainable rate", sustainable);
    report.add("refused with 429 or 503", load.refused as f64 / seconds, "events/s");
    report.hold("requests that ended in any other way", other as f64, "requests", Limit::Below(1.0));
    report.hold(
        "accepted and not stored",
        load.accepted.saturating_sub(stored) as f64,
        "events",
        Limit::Below(1.0),
    );
    report.add("refused and stored all the same", stored.saturating_sub(load.accepted) as f64, "events");
    report.add(
        "a request of 500, from when it was due, p99",
        load.latency_quantile(0.99).as_secs_f64() * 1_000.0,
        "ms",
    );
    report.add("worker_consumer_lag at its highest", most_behind, "messages");
    report.add("until everything was stored, and the lag 0", drained.as_secs_f64(), "s");
    for (service, peak) in peaks {
        report.add(&format!("memory of {service}, at its highest"), peak, "MiB");
    }
    Ok(())
}

/// What is stored a second when as much is sent as goes.
async fn sustainable_rate() -> anyhow::Result<f64> {
    let product = Product::start(&SERVICES).await?;
    let started = Instant::now();
    let load = run(Plan::new(product.url_for_load()?, product.key_for_load()?, CALIBRATION)).await?;
    product.until_stored(load.accepted, 0).await?;
    Ok(load.accepted as f64 / started.elapsed().as_secs_f64())
}
