//! Where a request came from, as the services behind are told: `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded`
//! ([RFC 7239](https://www.rfc-editor.org/rfc/rfc7239)).
//!
//! Anybody can send such headers, so they are believed only from proxies that the configuration names. From anyone
//! else they are dropped, and the address of the connection is the truth.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use hyper::header::{Entry, FORWARDED, HeaderMap, HeaderName, HeaderValue};
use millrace_http::client_address::TrustedProxies;
use millrace_http::public_side::OverTls;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// All of them, and what others write where they mean the same.
const ABOUT_ORIGIN: &[&str] = &[
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-real-ip",
    "true-client-ip",
];

/// Whether a header says where a request came from.
pub(super) fn is_about_origin(name: &str) -> bool {
    ABOUT_ORIGIN.contains(&name)
}

/// Whether what a request says of where it came from is believed.
pub(super) fn is_believed(request: &HttpRequest, trusted: &TrustedProxies) -> bool {
    peer(request).is_some_and(|peer| trusted.contain(peer))
}

/// Writes where a request came from into the headers it goes on with. Of what the client sent they hold what is believed.
pub(super) fn stamp(headers: &mut HeaderMap, request: &HttpRequest) {
    let peer = peer(request);
    // Over HTTP/2 the target names it.
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host =
        request.headers().get("host").and_then(|host| host.to_str().ok()).or(authority).unwrap_or_default();
    let proto = if OverTls::is(request) { "https" } else { "http" };
    let name = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
    extend(headers, FORWARDED, element(&name, peer.is_some_and(|peer| peer.is_ipv6()), host, proto));
    extend(headers, FOR, name);
    // These two have no list: the first proxy has seen what the client asked for.
    for (name, value) in [(PROTO, proto), (HOST, host)] {
        if let (Entry::Vacant(entry), Ok(value)) = (headers.entry(name), HeaderValue::from_str(value)) {
            entry.insert(value);
        }
    }
}

fn peer(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|peer| SocketAddr::ip(&peer).to_canonical())
}

/// One hop, as `Forwarded` has it. An IPv6 address is in brackets and quotes; a host with a port must be quoted.
fn element(peer: &str, is_ipv6: bool, host: &str, proto: &str) -> String {
    let (before, after) = if is_ipv6 { ("\"[", "]\"") } else { ("", "") };
    // A host that would break out of the quotes is nobody's.
    let quotable = !host.is_empty() && !host.contains(['"', '\\']);
    let (host_is, host, ends) = if quotable { (";host=\"", host, "\"") } else { ("", "", "") };
    ["for=", before, peer, after, host_is, host, ends, ";proto=", proto].concat()
}

/// Adds to a list that may be spread over several lines.
fn extend(headers: &mut HeaderMap, name: HeaderName, mut last: String) {
    let list: Vec<&str> = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok()).collect();
    if !list.is_empty() {
        last = format!("{}, {last}", list.join(", "));
    }
    if let Ok(value) = HeaderValue::try_from(last) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::proxy::headers::onward;

    fn stamped(peer: &str, trusted: &str, sent: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = TestRequest::get()
            .peer_addr(peer.parse().unwrap())
            .insert_header(("host", "events.example:8443"));
        for header in sent {
            request = request.append_header(*header);
        }
        onward(&request.to_http_request(), None, &trusted.parse().unwrap())
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let sent = [
            ("x-forwarded-for", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-real-ip", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
        ];
        let headers = stamped("203.0.113.9:5000", "10.0.0.0/8", &sent);
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "events.example:8443");
        assert_eq!(headers["forwarded"], "for=203.0.113.9;host=\"events.example:8443\";proto=http");
        assert!(!headers.contains_key("x-real-ip"));
    }

    #[test]
    fn a_proxy_of_ours_is_believed_and_added() {
        let sent =
            [("x-forwarded-for", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8"), ("x-forwarded-proto", "https")];
        let headers = stamped("10.1.2.3:5000", "192.0.2.7, 10.0.0.0/8", &sent);
        assert_eq!(headers["x-forwarded-for"], "1.2.3.4, 5.6.7.8, 10.1.2.3");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    #[test]
    fn addresses_of_both_families_are_written_as_the_standard_says() {
        let six = stamped("[2001:db8::1]:5000", "", &[]);
        assert_eq!(six["x-forwarded-for"], "2001:db8::1");
        assert_eq!(six["forwarded"], "for=\"[2001:db8::1]\";host=\"events.example:8443\";proto=http");
        let mapped = stamped("[::ffff:10.0.0.1]:5000", "10.0.0.1", &[("x-forwarded-for", "9.9.9.9")]);
        assert_eq!(mapped["x-forwarded-for"], "9.9.9.9, 10.0.0.1");
    }
}
