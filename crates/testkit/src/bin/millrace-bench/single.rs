//! Ingest by clients that send one event a request, over 64 connections, beside what the same server answers without
//! doing anything.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use crate::probe::{ID_TO_FILL_IN, Probe};
use crate::product::Product;
use crate::report::{Limit, Report};

const TIME: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 64;

pub async fn measure(report: &mut Report) -> anyhow::Result<()> {
    let product = Product::start(&["auth", "ingest", "worker", "gateway"]).await?;
    let gateway = product.address("gateway")?;
    let event = format!(
        r#"{{"event_id":"{ID_TO_FILL_IN}","event_type":"page_viewed","user_id":"ada","occurred_at":"{}","properties":{{"path":"/products/17","device":"mobile","plan":"pro","amount":12.5}}}}"#,
        Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
    );
    let key = format!("Authorization: Bearer {}\r\n", product.key.reveal());
    let alive = Probe::get(gateway, "/health/live", "");
    let send = Probe::post_event(gateway, "/api/v1/events", &key, &event)?;

    let bare = alive.flat_out(CONNECTIONS, TIME).await?;
    let sent = send.flat_out(CONNECTIONS, TIME).await?;
    product.until_stored(sent.requests, 0).await?;
    report.hold("accepted, one event a request", sent.per_second, "events/s", Limit::AtLeast(15_000.0));
    report.compare("the same", sent.per_second, "requests/s", "/health/live of the gateway", bare.per_second);
    report.compare("latency, p50", sent.millis(0.50), "ms", "/health/live", bare.millis(0.50));
    report.compare("latency, p99", sent.millis(0.99), "ms", "/health/live", bare.millis(0.99));
    report.hold("latency, p99", sent.millis(0.99), "ms", Limit::Below(50.0));
    Ok(())
}
