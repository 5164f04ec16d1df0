//! JSON logs on standard output, and spans to an OTLP collector when `OTEL_EXPORTER_OTLP_ENDPOINT` names one.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// Keeps the exporter alive. [`Telemetry::shutdown`] sends what is still buffered.
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `MILLRACE_LOG` is not a filter.
    #[error("MILLRACE_LOG: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter cannot be built from its `OTEL_*` variables.
    #[error("OTEL_EXPORTER_OTLP_ENDPOINT: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Something else already logs.
    #[error("telemetry is already installed: {0}")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging and, where an endpoint is configured, exporting. Call it before the async runtime starts: the
/// exporter's blocking HTTP client must not be built on one of its threads.
///
/// # Errors
/// When a variable cannot be used.
pub fn init(service: &'static str) -> Result<Telemetry, TelemetryError> {
    let filter = match std::env::var("MILLRACE_LOG") {
        Ok(directives) if !directives.is_empty() => EnvFilter::try_new(directives)?,
        _ => EnvFilter::new("info"),
    };
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let provider = match std::env::var_os("OTEL_EXPORTER_OTLP_ENDPOINT") {
        Some(endpoint) if !endpoint.is_empty() => Some(provider(service)?),
        _ => None,
    };
    let export =
        provider.as_ref().map(|p| tracing_opentelemetry::layer().with_tracer(p.tracer("millrace")).boxed());
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    tracing_subscriber::registry().with(filter).with(logs).with(export).try_init()?;
    Ok(Telemetry { provider })
}

fn provider(service: &'static str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    // Sampling is decided at the root (`OTEL_TRACES_SAMPLER` of whoever starts the trace); services follow.
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
        .with_resource(Resource::builder().with_service_name(service).build())
        .build())
}

impl Telemetry {
    /// Sends the spans that are still buffered. The last thing a service does.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.provider.map(|p| p.shutdown()) {
            tracing::warn!(%error, "spans may be lost");
        }
    }
}
