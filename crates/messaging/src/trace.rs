//! Where a message's events came from: the requests, and the traces they belong to.
//!
//! Events of many requests may share a message, so the headers `Millrace-Request-Id` and `traceparent` (W3C) may stand
//! in it several times.

use async_nats::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::consumer::Delivery;
use crate::source::{Run, Source};
use crate::subjects::{KEY_ID_HEADER, REQUEST_ID_HEADER};

const TRACE_HEADER: &str = "traceparent";
/// The most requests a message names; of the others the logs know.
pub(crate) const MAX_ORIGINS: usize = 64;

/// The request that brought events.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Who sent it.
    pub source: Source,
    /// How many of a batch's events it brought; all, unless somebody says otherwise.
    pub events: usize,
    /// The span it is served in.
    pub span: tracing::Span,
}

impl Origin {
    /// The request with this id, served in the current span.
    #[must_use]
    pub fn of(request_id: &str) -> Self {
        Self::from(Source::of(request_id))
    }

    /// Its events in a batch.
    pub(crate) fn run(&self) -> Run<'_> {
        Run { events: self.events, source: &self.source }
    }

    /// Writes the origin into the headers; no trace where none is recorded.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.append(REQUEST_ID_HEADER, self.source.request_id.as_str());
        if let Some(key) = self.source.key_id {
            headers.append(KEY_ID_HEADER, key.to_string().as_str());
        }
        let context = self.span.context();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&context, &mut Appended(headers));
        });
    }
}

impl From<Source> for Origin {
    /// A request served in the current span.
    fn from(source: Source) -> Self {
        Self { source, events: usize::MAX, span: tracing::Span::current() }
    }
}

/// The spans that published a message. Whoever works on it links to them.
#[must_use]
pub fn origins(delivery: &Delivery) -> Vec<SpanContext> {
    opentelemetry::global::get_text_map_propagator(|propagator| {
        delivery
            .headers(TRACE_HEADER)
            .map(|parent| propagator.extract_with_context(&Context::new(), &Parent(parent)))
            .map(|context| context.span().span_context().clone())
            .filter(SpanContext::is_valid)
            .collect()
    })
}

struct Appended<'a>(&'a mut HeaderMap);

impl Injector for Appended<'_> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing.
        if key == TRACE_HEADER {
            self.0.append(key, value.as_str());
        }
    }
}

struct Parent<'a>(&'a str);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACE_HEADER).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_HEADER]
    }
}
