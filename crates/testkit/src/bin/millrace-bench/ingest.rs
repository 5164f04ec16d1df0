//! Batched ingest: requests of 500 events over 8 connections through the gateway, until all are committed.

use std::time::{Duration, Instant};

use anyhow::ensure;
use millrace_cli::load::{Extent, Plan, run};

use crate::copy::time_copy;
use crate::product::Product;
use crate::report::{Limit, Report};

pub async fn measure(report: &mut Report, events: u64) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    for (service, mebibytes) in product.memory() {
        report.add(&format!("memory of {service}, idle"), mebibytes, "MiB");
    }
    let plan = Plan {
        connections: 8,
        batch: 500,
        ..Plan::new(product.url_for_load()?, product.key_for_load()?, Extent::Events(events))
    };
    let started = Instant::now();
    let load = run(plan).await?;
    ensure!(
        load.accepted == events,
        "only {} of {events} events were accepted: {:?}",
        load.accepted,
        load.statuses
    );
    product.until_stored(events, 0).await?;
    let stored = started.elapsed();
    let memory = product.memory();
    let copied = time_copy(&product.database).await?;

    let rate = |time: Duration| events as f64 / time.as_secs_f64();
    report.add("accepted, durable in the log", load.accepted_per_second(), "events/s");
    report.compare("stored, sent to committed", rate(stored), "events/s", "plain COPY", rate(copied));
    let share = 100.0 * rate(stored) / rate(copied);
    report.hold("share of plain COPY", share, "%", Limit::AtLeast(60.0));
    report.add("latency of a request of 500, p50", millis(load.latency_quantile(0.50)), "ms");
    report.add("latency of a request of 500, p99", millis(load.latency_quantile(0.99)), "ms");
    for (service, mebibytes) in memory {
        report.add(&format!("memory of {service}, after the load"), mebibytes, "MiB");
    }
    Ok(())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
