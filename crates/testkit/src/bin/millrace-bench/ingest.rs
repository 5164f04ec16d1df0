//! Batched ingest: requests of 500 events over 8 connections through the gateway, until all are committed.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use millrace_cli::load::{Extent, Plan, run};

use crate::copy::time_copy;
use crate::product::Product;
use crate::report::Report;

const DEADLINE: Duration = Duration::from_secs(600);

pub async fn measure(report: &mut Report, events: u64) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    for (service, mebibytes) in product.memory() {
        report.add(&format!("memory of {service}, idle"), mebibytes, "MiB");
    }
    let url = product.url().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let key = product.key.reveal().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let plan = Plan { connections: 8, batch: 500, ..Plan::new(url, key, Extent::Events(events)) };
    let started = Instant::now();
    let load = run(plan).await?;
    ensure!(
        load.accepted == events,
        "only {} of {events} events were accepted: {:?}",
        load.accepted,
        load.statuses
    );
    until_stored(&product, events).await?;
    let stored = started.elapsed();
    let memory = product.memory();
    let copied = time_copy(&product.database).await?;

    let rate = |time: Duration| events as f64 / time.as_secs_f64();
    report.add("accepted, durable in the log", load.accepted_per_second(), "events/s");
    report.compare("stored, sent to committed", rate(stored), "events/s", "plain COPY", rate(copied));
    report.add("latency of a request of 500, p50", millis(load.latency_quantile(0.50)), "ms");
    report.add("latency of a request of 500, p99", millis(load.latency_quantile(0.99)), "ms");
    for (service, mebibytes) in memory {
        report.add(&format!("memory of {service}, after the load"), mebibytes, "MiB");
    }
    Ok(())
}

pub async fn until_stored(product: &Product, events: u64) -> anyhow::Result<()> {
    let client = product.database.client().await;
    let counted = "SELECT coalesce(sum(count), 0)::bigint FROM event_counts WHERE project_id = $1";
    let all = async {
        loop {
            let row = client.query_one(counted, &[&product.project.0]).await?;
            if u64::try_from(row.get::<_, i64>(0))? >= events {
                let stored: i64 = client.query_one("SELECT count(*) FROM events", &[]).await?.get(0);
                ensure!(u64::try_from(stored)? == events, "{stored} events are stored, not {events}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, all).await.context("the events are not stored in time")?
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
