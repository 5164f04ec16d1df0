//! The Prometheus recorder behind the `metrics` macros.

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

/// The text of `GET /metrics`.
#[must_use]
pub fn render(handle: &PrometheusHandle) -> String {
    metrics_process::Collector::default().collect();
    // Histograms grow until they are folded; nobody else does it for a recorder without its own listener.
    handle.run_upkeep();
    handle.render()
}
