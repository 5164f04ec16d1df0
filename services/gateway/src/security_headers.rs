//! What browsers are told to do with an answer. An answer that says it itself, such as a page that loads scripts of its
//! own, keeps what it says.

use actix_web::HttpRequest;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, PERMISSIONS_POLICY, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use millrace_http::public_side::OverTls;

use crate::routes;

/// An answer of the API is data: shown as a page, it loads nothing, runs nothing, and is in nobody's frame.
const ALWAYS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];
/// The pages of the documentation load what is beside them, and pictures that are written into their styles.
const DOCUMENTATION: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; \
    form-action 'none'; object-src 'none'";
/// For a year: the host has TLS. Without TLS it must not be said, and browsers would not listen.
const TLS: &str = "max-age=31536000";

/// Adds to the headers of the answer to a request what they do not say themselves.
pub fn add(request: &HttpRequest, headers: &mut HeaderMap) {
    if request.path().starts_with(routes::DOCUMENTATION) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCUMENTATION));
    }
    let tls = OverTls::is(request).then_some((STRICT_TRANSPORT_SECURITY, TLS));
    for (name, value) in ALWAYS.into_iter().chain(tls) {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
