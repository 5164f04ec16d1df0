//! The trace that a message belongs to, carried in the W3C header `traceparent`.

use async_nats::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::consumer::Delivery;

/// Writes the current span into the headers; nothing where no trace is recorded.
pub(crate) fn inject(headers: &mut HeaderMap) {
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut Into(headers)));
}

/// The span that published a message. A batch of messages has many parents, so whoever works on it links to them.
#[must_use]
pub fn origin(delivery: &Delivery) -> Option<SpanContext> {
    let context = opentelemetry::global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &Of(delivery))
    });
    let origin = context.span().span_context().clone();
    origin.is_valid().then_some(origin)
}

struct Into<'a>(&'a mut HeaderMap);

impl Injector for Into<'_> {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key, value.as_str());
    }
}

struct Of<'a>(&'a Delivery);

impl Extractor for Of<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.header(key)
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}
