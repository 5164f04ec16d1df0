//! The memory of each service: idle, and at its highest while events come in and questions are asked.

use std::time::Duration;

use anyhow::ensure;
use chrono::{TimeDelta, Utc};
use millrace_cli::load::{Extent, Plan, run};

use crate::product::Product;
use crate::report::Report;

/// By then what a start needs has been given back.
const IDLE: Duration = Duration::from_secs(5);
const LOAD: Duration = Duration::from_secs(20);
const QUESTIONS: [&str; 3] = ["dau", "top-events", "retention"];

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "analytics", "gateway"]).await?;
    tokio::time::sleep(IDLE).await;
    let idle = product.memory();
    let plan = Plan::new(product.url_for_load()?, product.key_for_load()?, Extent::Time(LOAD));
    let mut load = std::pin::pin!(run(plan));
    let load = loop {
        tokio::select! {
            load = &mut load => break load?,
            asked = ask(&product) => asked?,
        }
    };
    product.until_stored(load.accepted, 0).await?;
    report.add("accepted meanwhile", load.accepted_per_second(), "events/s");
    for ((service, idle), (_, peak)) in idle.into_iter().zip(product.peak_memory()) {
        report.compare(&format!("memory of {service}, at its highest"), peak, "MiB", "idle", idle);
    }
    Ok(())
}

/// Asks everything once, anew.
async fn ask(product: &Product) -> anyhow::Result<()> {
    let today = Utc::now().date_naive();
    let (from, to) = (today - TimeDelta::days(29), today);
    let client = reqwest::Client::new();
    for question in QUESTIONS {
        let url = format!("{}/api/v1/stats/{question}?from={from}&to={to}", product.url());
        let request = client.get(url).bearer_auth(product.key.reveal()).header("cache-control", "no-cache");
        let status = request.send().await?.status();
        ensure!(status.is_success(), "{question} is answered with {status}");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(())
}
