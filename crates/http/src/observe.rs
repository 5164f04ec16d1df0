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

/// Counts and times the request under its route template, never under its path: paths hold ids, and a label per id
/// would grow without bound.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let method = request.method().as_str().to_owned();
    let request_id = RequestId::current();
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        method,
        request_id = request_id.as_ref().map(RequestId::as_str)
    );
    let parent = opentelemetry::global::get_text_map_propagator(|p| p.extract(&Headers(request.headers())));
    // Fails only where no exporter is installed, and then there is no trace to join.
    let _ = span.set_parent(parent);
    let outcome = next.call(request).instrument(span.clone()).await;
    let (status, endpoint) = match &outcome {
        Ok(response) => (response.status(), response.request().match_pattern()),
        Err(error) => (error.as_response_error().status_code(), None),
    };
    let endpoint = endpoint.unwrap_or_else(|| "unmatched".to_owned());
    let elapsed = started.elapsed();
    if !endpoint.starts_with("/health") && endpoint != "/metrics" {
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        span.in_scope(|| tracing::info!(endpoint, status = status.as_u16(), elapsed_us, "answered"));
    }
    metrics::histogram!("api_request_duration_seconds", "method" => method.clone(), "endpoint" => endpoint.clone())
        .record(elapsed);
    metrics::counter!(
        "api_requests_total", "method" => method, "endpoint" => endpoint, "status_code" => status.as_u16().to_string()
    )
    .increment(1);
    outcome
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
