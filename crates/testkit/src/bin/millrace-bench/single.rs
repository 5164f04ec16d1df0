//! Ingest by clients that send one event a request, over 64 connections, beside what the same server answers without
//! doing anything.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use crate::probe::{ID_TO_FILL_IN, Outcome, Probe};
use crate::product::Product;
use crate::report::{Limit, Report, median};

const TIME: Duration = Duration::from_secs(10);
/// How often both are asked, in turns: what else the machine has to do differs from one to the next by more than a tenth.
const ROUNDS: usize = 3;
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

    let (mut bare, mut sent) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(alive.flat_out(CONNECTIONS, TIME).await?);
        sent.push(send.flat_out(CONNECTIONS, TIME).await?);
    }
    product.until_stored(sent.iter().map(|round| round.requests).sum(), 0).await?;
    let middle =
        |rounds: &[Outcome], figure: fn(&Outcome) -> f64| median(rounds.iter().map(figure).collect());
    let per_second = |rounds: &[Outcome]| middle(rounds, |round| round.per_second);
    let (p50, p99) =
        (|round: &Outcome| -> f64 { round.millis(0.50) }, |round: &Outcome| -> f64 { round.millis(0.99) });
    let accepted = per_second(&sent);
    report.hold("accepted, one event a request", accepted, "events/s", Limit::AtLeast(15_000.0));
    report.compare("the same", accepted, "requests/s", "/health/live of the gateway", per_second(&bare));
    report.compare("latency, p50", middle(&sent, p50), "ms", "/health/live", middle(&bare, p50));
    report.compare("latency, p99", middle(&sent, p99), "ms", "/health/live", middle(&bare, p99));
    report.hold("latency, p99", middle(&sent, p99), "ms", Limit::Below(50.0));
    Ok(())
}
