//! Answers are compressed on their way out, chunk by chunk as they come.

use std::io;

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    Encoding, Header, HeaderMap, HeaderValue, VARY,
};
use actix_web::http::{Method, StatusCode};

mod body;
mod encoder;

pub use body::Compressed;
use encoder::Encoder;

/// What is smaller is in one packet anyway.
const MIN_BYTES: u64 = 1024;

/// Compresses the answer to a request with `method` if its client takes it compressed and there is something to gain.
///
/// # Errors
/// When an encoder cannot be made.
pub fn compress<B: MessageBody>(
    method: &Method,
    mut answer: ServiceResponse<B>,
) -> io::Result<ServiceResponse<EitherBody<Compressed<B>, B>>> {
    if !is_worth_it(&answer) {
        return Ok(answer.map_into_right_body());
    }
    answer.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    let accepted = AcceptEncoding::parse(answer.request()).ok();
    let chosen = accepted.and_then(|accepted| accepted.negotiate(encoder::OFFERED.iter()));
    let encoder = match chosen {
        Some(Encoding::Known(coding)) if method != Method::HEAD => Encoder::new(coding)?,
        _ => None,
    };
    let Some(encoder) = encoder else { return Ok(answer.map_into_right_body()) };
    let headers = answer.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoder.name()));
    headers.remove(CONTENT_LENGTH);
    weaken(headers);
    Ok(answer.map_body(|_, body| EitherBody::left(Compressed::new(body, encoder))))
}

/// Text of some size that nobody has compressed. What must not be stored holds secrets, and the length of a compressed
/// secret tells of it.
fn is_worth_it<B: MessageBody>(answer: &ServiceResponse<B>) -> bool {
    let headers = answer.headers();
    let large = match answer.response().body().size() {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= MIN_BYTES,
        BodySize::Stream => true,
    };
    let whole = answer.status() != StatusCode::PARTIAL_CONTENT && !headers.contains_key(CONTENT_RANGE);
    let kept_as_it_is = text(headers, &CACHE_CONTROL).contains("no-transform");
    let secret = text(headers, &CACHE_CONTROL).contains("no-store");
    large && whole && !kept_as_it_is && !secret && !headers.contains_key(CONTENT_ENCODING) && is_text(headers)
}

fn is_text(headers: &HeaderMap) -> bool {
    let media_type = text(headers, &CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    // A browser reads events as they come, and some hold back what is compressed.
    (media_type.starts_with("text/") && media_type != "text/event-stream")
        || matches!(media_type, "application/json" | "application/x-ndjson" | "application/javascript")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
}

fn text<'a>(headers: &'a HeaderMap, name: &actix_web::http::header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A strong tag is one of the bytes as they were.
fn weaken(headers: &mut HeaderMap) {
    let weak = match text(headers, &ETAG) {
        "" => return,
        tag if tag.starts_with("W/") => return,
        tag => HeaderValue::from_str(&format!("W/{tag}")),
    };
    if let Ok(weak) = weak {
        headers.insert(ETAG, weak);
    }
}
