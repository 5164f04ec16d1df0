//! The two metrics of every request, `api_requests_total` and `api_request_duration_seconds`.
//!
//! A thread keeps the ones it has met: to find a metric by its labels costs more than to add to it, and allocates.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The metrics of one kind of request.
struct Metrics {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    duration: Histogram,
}

thread_local! {
    static MET: RefCell<HashMap<String, Vec<Metrics>>> = RefCell::default();
}

/// Counts and times a request under its route template, never under its path: paths hold ids, and a label per id would
/// grow without bound.
pub(crate) fn record(method: &Method, endpoint: &str, status: StatusCode, elapsed: Duration) {
    let method = label(method);
    MET.with_borrow_mut(|met| {
        if !met.contains_key(endpoint) {
            met.insert(endpoint.to_owned(), Vec::new());
        }
        let Some(kinds) = met.get_mut(endpoint) else { return };
        let is_it = |kind: &Metrics| kind.method == method && kind.status == status;
        let place = kinds.iter().position(is_it).unwrap_or_else(|| {
            kinds.push(Metrics::of(method, endpoint, status));
            kinds.len() - 1
        });
        if let Some(kind) = kinds.get(place) {
            kind.requests.increment(1);
            kind.duration.record(elapsed);
        }
    });
}

impl Metrics {
    fn of(method: &'static str, endpoint: &str, status: StatusCode) -> Self {
        let endpoint = endpoint.to_owned();
        let duration = metrics::histogram!("api_request_duration_seconds", "method" => method, "endpoint" => endpoint.clone());
        let requests = metrics::counter!(
            "api_requests_total", "method" => method, "endpoint" => endpoint, "status_code" => status.as_u16().to_string()
        );
        Self { method, status, requests, duration }
    }
}

/// A method as a label. Clients may make methods up, so only those that exist have one of their own.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_somebody_made_up_has_no_label_of_its_own() {
        assert_eq!(label(&Method::PATCH), "PATCH");
        assert_eq!(label(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
