//! The Prometheus recorder behind the `metrics` macros.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of latency buckets, in seconds.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the sizes of worker batches, in events.
const EVENTS: &[f64] = &[1.0, 10.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 25_000.0];

/// Installs the recorder for this process, once.
///
/// # Errors
/// When another recorder is already there.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), EVENTS)?
        .install_recorder()?;
    metrics_process::Collector::default().describe();
    Ok(handle)
}

/// How often what histograms were told is folded into their buckets. Until then each value takes eight bytes, so a busy
/// process that nobody scrapes must not wait for the next scrape.
const UPKEEP: Duration = Duration::from_secs(5);

/// Keeps the recorder small, for as long as it is polled.
pub async fn keep_small(handle: PrometheusHandle) {
    let mut due = tokio::time::interval(UPKEEP);
    loop {
        due.tick().await;
        handle.run_upkeep();
    }
}

/// The text of `GET /metrics`.
#[must_use]
pub fn render(handle: &PrometheusHandle) -> String {
    metrics_process::Collector::default().collect();
    handle.render()
}
