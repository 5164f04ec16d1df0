//! Live events: what a watcher costs, how soon an event reaches all of them, and what ingest notices of it.

use std::time::Duration;

use anyhow::{Context, ensure};
use millrace_cli::load::{Extent, Plan, run};

use crate::product::Product;
use crate::report::Report;
use crate::watchers::{Watchers, probe};

/// Events for each measurement of the throughput of ingest.
const EVENTS: u64 = 300_000;
/// Before they count: whoever begins to watch waits for up to a second.
const WARM_UP: Duration = Duration::from_secs(3);
const PROBES: usize = 60;
const EVERY: Duration = Duration::from_millis(500);

pub async fn measure(report: &mut Report, clients: usize) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    let (url, key) = (product.url(), product.key.reveal().to_owned());
    let gateway = product.address("gateway")?;
    throughput(&product).await?;
    let alone = throughput(&product).await?;

    let before = memory(&product)?;
    let mut watchers = Watchers::connect(gateway, &key, clients).await?;
    // They watch; the first of the events are those that nobody is shown.
    let warm = Watchers::connect(gateway, &key, 1).await?;
    probe(&warm, &url, &key, 4, WARM_UP / 4).await?;
    drop(warm);
    let connected = memory(&product)?;
    report.add("clients", clients as f64, "");
    report.compare(
        "memory of a client",
        (connected - before) * 1024.0 / clients as f64,
        "KiB",
        "limit",
        40.0,
    );

    probe(&watchers, &url, &key, PROBES, EVERY).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let latencies = watchers.latencies();
    let expected = clients as f64 * PROBES as f64;
    report.compare(
        "an event reaches clients, sent to read, p50",
        millis(latencies.value_at_quantile(0.5)),
        "ms",
        "limit",
        250.0,
    );
    report.compare(
        "an event reaches clients, sent to read, p99",
        millis(latencies.value_at_quantile(0.99)),
        "ms",
        "limit",
        250.0,
    );
    report.compare("an event reaches clients, times seen", latencies.len() as f64, "", "sent", expected);

    let watched = throughput(&product).await?;
    report.compare("accepted while they watch", watched, "events/s", "nobody watches", alone);
    report.compare("clients that kept up with it", watchers.connected() as f64, "", "of", clients as f64);
    report.add("memory of the gateway with clients, after it", memory(&product)?, "MiB");
    Ok(())
}

async fn throughput(product: &Product) -> anyhow::Result<f64> {
    let url = product.url().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let key = product.key.reveal().parse().map_err(|e| anyhow::anyhow!("{e}"))?;
    let load =
        run(Plan { connections: 8, batch: 500, ..Plan::new(url, key, Extent::Events(EVENTS)) }).await?;
    ensure!(load.accepted == EVENTS, "only {} events were accepted: {:?}", load.accepted, load.statuses);
    Ok(load.accepted_per_second())
}

/// Of the gateway, in MiB.
fn memory(product: &Product) -> anyhow::Result<f64> {
    let all = product.memory();
    Ok(all.iter().find(|(service, _)| *service == "gateway").context("the gateway runs")?.1)
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
