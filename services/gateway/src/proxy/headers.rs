//! Headers for the next hop.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap as ActixHeaders;
use actix_web::http::header::{HeaderName as ActixName, HeaderValue as ActixValue};
use hyper::header::{CONTENT_LENGTH, COOKIE, HeaderMap, HeaderName, HeaderValue};
use millrace_http::client_address::TrustedProxies;
use millrace_http::multiplex::frame::Field;
use millrace_http::request_id::RequestId;
use millrace_http::session_cookie;
use opentelemetry::propagation::Injector;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::forwarded;

/// What concerns a connection and not the message, besides what `Connection` names
/// ([RFC 9110, 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What the next hop is told anew. `Expect` has been answered here: the client is already sending.
const SETTLED_HERE: &[&str] = &["host", "expect", "content-length"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The headers of a request as the service gets them, all but `Host`.
pub(super) fn onward(request: &HttpRequest, length: Option<u64>, trusted: &TrustedProxies) -> HeaderMap {
    let received = request.headers();
    let is_end_to_end = end_to_end(received.get_all("connection").map(|value| value.as_bytes()));
    let believed = forwarded::is_believed(request, trusted);
    let goes_on = |name: &str| {
        !SETTLED_HERE.contains(&name)
            && is_end_to_end(name)
            && (believed || !forwarded::is_about_origin(name))
    };
    let mut headers = HeaderMap::with_capacity(received.len() + 8);
    for (name, value) in received.iter().filter(|(name, _)| goes_on(name.as_str())) {
        // Two versions of one crate, with the same grammar: what one has read the other can write.
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = match name {
            // A session's is for the gateway alone, good or bad.
            Ok(COOKIE) => match session_cookie::others(value.as_bytes()) {
                Some(others) => HeaderValue::from_str(&others),
                None => continue,
            },
            _ => HeaderValue::from_bytes(value.as_bytes()),
        };
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if let Some(id) = RequestId::current().and_then(|id| HeaderValue::from_str(id.as_str()).ok()) {
        headers.insert(REQUEST_ID, id);
    }
    forwarded::stamp(&mut headers, request);
    // Replaces the caller's only where spans are exported; else the caller's is passed on as it came.
    let context = Span::current().context();
    opentelemetry::global::get_text_map_propagator(|p| {
        p.inject_context(&context, &mut Carrier(&mut headers))
    });
    headers
}

/// The headers of an answer as the client gets them.
pub(super) fn back(answered: &HeaderMap, headers: &mut ActixHeaders) {
    let is_for_the_client = end_to_end(answered.get_all("connection").iter().map(HeaderValue::as_bytes));
    for (name, value) in answered.iter().filter(|(name, _)| is_for_the_client(name.as_str())) {
        let name = ActixName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, ActixValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
}

/// The same of an answer that came with others, where nothing is about the connection.
pub(super) fn back_whole(answered: Vec<Field>, headers: &mut ActixHeaders) {
    for (name, value) in answered {
        let name = ActixName::from_bytes(&name);
        if let (Ok(name), Ok(value)) = (name, ActixValue::from_maybe_shared(value)) {
            headers.append(name, value);
        }
    }
}

/// What an answer says its length is, for one that is only a head.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a header goes beyond the next hop, given what `Connection` says.
fn end_to_end<'a>(connection: impl Iterator<Item = &'a [u8]>) -> impl Fn(&str) -> bool {
    let options = connection.filter_map(|value| str::from_utf8(value).ok());
    let named: Vec<&str> = options.flat_map(|options| options.split(',').map(str::trim)).collect();
    move |name| !HOP_BY_HOP.contains(&name) && !named.iter().any(|option| option.eq_ignore_ascii_case(name))
}

struct Carrier<'a>(&'a mut HeaderMap);

impl Injector for Carrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else { return };
        match HeaderValue::from_str(&value) {
            Ok(value) if !value.is_empty() => drop(self.0.insert(name, value)),
            _ => drop(self.0.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use opentelemetry::trace::TracerProvider;
    use opentelemetry_sdk::propagation::TraceContextPropagator;
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn where_spans_are_exported_the_trace_goes_on_from_the_span_of_the_gateway() {
        opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = SdkTracerProvider::builder().build().tracer("test");
        let spans = tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
        let request = TestRequest::get().insert_header(("traceparent", "00-0-0-01")).to_http_request();
        let headers = tracing::subscriber::with_default(spans, || {
            tracing::info_span!("request").in_scope(|| onward(&request, None, &TrustedProxies::default()))
        });
        let sent = headers["traceparent"].to_str().unwrap();
        let parts: Vec<usize> = sent.split('-').map(str::len).collect();
        assert_eq!(parts, [2, 32, 16, 2], "{sent}");
        assert!(!headers.contains_key("tracestate"));
    }
}
