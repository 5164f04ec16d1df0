//! What every request leaves behind: a span in its caller's trace, two metrics and one log line.

use std::time::Instant;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use opentelemetry::propagation::Extractor;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::request_id::RequestId;
use crate::request_metrics;

/// How many parameters are named in the log.
const MAX_NAMES: usize = 20;
/// A longer name is none of ours.
const MAX_NAME_BYTES: usize = 32;

/// Counts, times and logs the request.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let request_id = RequestId::current();
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        method = method.as_str(),
        protocol = ?request.version(),
        parameters = tracing::field::Empty,
        // Of whom services know nothing but the gateway.
        client = tracing::field::Empty,
        request_id = request_id.as_ref().map(RequestId::as_str)
    );
    if !request.query_string().is_empty() && !span.is_disabled() {
        span.record("parameters", names(request.query_string()));
    }
    let parent = opentelemetry::global::get_text_map_propagator(|p| p.extract(&Headers(request.headers())));
    // Fails only where no exporter is installed, and then there is no trace to join.
    let _ = span.set_parent(parent);
    let outcome = next.call(request).instrument(span.clone()).await;
    let (status, endpoint) = match &outcome {
        Ok(response) => (response.status(), response.request().match_pattern()),
        Err(error) => (error.as_response_error().status_code(), None),
    };
    let endpoint = endpoint.as_deref().unwrap_or("unmatched");
    let elapsed = started.elapsed();
    if !endpoint.starts_with("/health") && endpoint != "/metrics" {
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        span.in_scope(|| tracing::info!(endpoint, status = status.as_u16(), elapsed_us, "answered"));
    }
    request_metrics::record(&method, endpoint, status, elapsed);
    outcome
}

/// The names of a query's parameters. Their values may be secrets; so may be what stands there without a name.
fn names(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).take(MAX_NAMES);
    let name = |pair: &str| {
        let name = pair.split_once('=').map_or("", |(name, _)| name).to_owned();
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.[]".contains(&b));
        if plain && (1..=MAX_NAME_BYTES).contains(&name.len()) { name } else { "?".to_owned() }
    };
    pairs.map(name).collect::<Vec<_>>().join(",")
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_and_read_body, init_service};
    use actix_web::{App, web};
    use opentelemetry::trace::{TraceContextExt, TracerProvider};
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn of_a_query_only_names_are_told() {
        assert_eq!(names("from=2026-11-01&to=&filter[plan]=a%20b"), "from,to,filter[plan]");
        assert_eq!(names("mr_secret&%6e=1&=x"), "?,?,?");
        assert_eq!(names(""), "");
    }

    // The OpenTelemetry crates compile in versions that do not fit each other, and then every trace id is empty.
    #[actix_web::test]
    async fn a_request_joins_its_callers_trace() {
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let subscriber =
            tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        let _guard = tracing::subscriber::set_default(subscriber);

        let trace =
            || async { tracing::Span::current().context().span().span_context().trace_id().to_string() };
        let app = init_service(App::new().route("/", web::get().to(trace)).wrap(from_fn(middleware))).await;
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let request = TestRequest::get().insert_header(("traceparent", parent)).to_request();
        assert_eq!(call_and_read_body(&app, request).await, "4bf92f3577b34da6a3ce929d0e0e4736");
    }
}
