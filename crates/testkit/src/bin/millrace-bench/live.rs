//! Live events: what a watcher costs, how soon an event reaches all of them, and what ingest notices of it.

use std::time::Duration;

use anyhow::{Context, ensure};
use millrace_cli::load::{Extent, Plan, run};

use crate::product::Product;
use crate::report::{Limit, Report, median};
use crate::watchers::{Probes, Watchers, probe};

/// Events for each measurement of the throughput of ingest.
const EVENTS: u64 = 300_000;
/// How often ingest is measured without clients and with them, in turns: what else changes on the machine meanwhile
/// changes both.
const ROUNDS: usize = 3;
/// Before they count: whoever begins to watch waits for up to a second.
const WARM_UP: Probes = Probes { count: 4, every: Duration::from_millis(750), events: 1 };
/// No multiple of the tenth of a second in which events are gathered, so that they come at any moment of it.
const EVERY: Duration = Duration::from_millis(130);
/// While nothing else happens.
const ALONE: Probes = Probes { count: 60, every: EVERY, events: 1 };
/// Beside a thousand events a second: far more than so many clients can be shown, so that every frame is full.
const BESIDE_TRAFFIC: Probes = Probes { count: 60, every: EVERY, events: 130 };
/// How long after the last probe everybody has seen it.
const SETTLE: Duration = Duration::from_secs(1);

pub async fn measure(report: &mut Report, clients: usize) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    let (url, key) = (product.url(), product.key.reveal().to_owned());
    let gateway = product.address("gateway")?;
    report.add("clients", clients as f64, "");

    // Before anything that leaves memory behind which is not of the clients.
    let warm = Watchers::connect(gateway, &key, 1).await?;
    probe(&warm, &url, &key, WARM_UP).await?;
    let before = memory(&product)?;
    let of_a_client = |now: f64| (now - before) * 1024.0 / clients as f64;
    let mut watchers = Watchers::connect(gateway, &key, clients).await?;
    drop(warm);
    probe(&watchers, &url, &key, WARM_UP).await?;
    report.hold("memory of a client", of_a_client(memory(&product)?), "KiB", Limit::Below(40.0));
    tokio::time::sleep(SETTLE).await;
    watchers.latencies();
    for (where_to, probes) in [("an idle project", ALONE), ("beside traffic", BESIDE_TRAFFIC)] {
        probe(&watchers, &url, &key, probes).await?;
        tokio::time::sleep(SETTLE).await;
        let latencies = watchers.latencies();
        let millis = |share: f64| latencies.value_at_quantile(share) as f64 / 1_000.0;
        let expected = clients as f64 * probes.count as f64;
        let limit = Limit::Below(250.0);
        report.add(&format!("sent to read, {where_to}, p50"), millis(0.5), "ms");
        report.hold(&format!("sent to read, {where_to}, p99"), millis(0.99), "ms", limit);
        let seen = latencies.len() as f64;
        report.hold(&format!("times seen, {where_to}"), seen, "", Limit::AtLeast(expected));
    }
    let told = of_a_client(memory(&product)?);
    report.hold("memory of a client that was told", told, "KiB", Limit::Below(40.0));
    let kept_up = Limit::AtLeast(clients as f64);
    report.hold("clients that kept up", watchers.connected() as f64, "", kept_up);
    leave(&product, watchers).await?;

    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    throughput(&product).await?;
    for _ in 0..ROUNDS {
        alone.push(throughput(&product).await?);
        let mut watchers = Watchers::connect(gateway, &key, clients).await?;
        probe(&watchers, &url, &key, WARM_UP).await?;
        watched.push(throughput(&product).await?);
        report.hold("clients that kept up with ingest", watchers.connected() as f64, "", kept_up);
        leave(&product, watchers).await?;
    }
    let (alone, watched) = (median(alone), median(watched));
    report.add("accepted while nobody watches", alone, "events/s");
    report.hold("accepted while they watch", watched, "events/s", Limit::AtLeast(0.95 * alone));
    Ok(())
}

/// Has them go, and waits until the gateway knows.
async fn leave(product: &Product, watchers: Watchers) -> anyhow::Result<()> {
    drop(watchers);
    let gone = async {
        while product.metric("gateway", "live_connections").await? > 0.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .context("clients that are gone are still counted")?
}

async fn throughput(product: &Product) -> anyhow::Result<f64> {
    let plan = Plan {
        connections: 8,
        batch: 500,
        ..Plan::new(product.url_for_load()?, product.key_for_load()?, Extent::Events(EVENTS))
    };
    let load = run(plan).await?;
    ensure!(load.accepted == EVENTS, "only {} events were accepted: {:?}", load.accepted, load.statuses);
    Ok(load.accepted_per_second())
}

/// Of the gateway, in MiB.
fn memory(product: &Product) -> anyhow::Result<f64> {
    let all = product.memory();
    Ok(all.iter().find(|(service, _)| *service == "gateway").context("the gateway runs")?.1)
}
