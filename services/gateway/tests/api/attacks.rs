//! Requests that two readers could read in two ways, or that are made to wear a server out: what is answered, and that
//! no service behind ever sees one.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpListener;

use crate::gateway::{Gateway, settings};
use crate::raw::{Wire, listener};

/// A request's bytes as they are, and the status that is right for them.
struct Attack(&'static str, String, &'static str);

fn attack(name: &'static str, request: impl Into<String>, status: &'static str) -> Attack {
    Attack(name, request.into(), status)
}

/// What a smuggled request looks like: were it seen, it would be the service's second.
const SMUGGLED: &str = "GET /api/v1/projects HTTP/1.1\r\nhost: x\r\n\r\n";
const POST: &str = "POST /api/v1/stats HTTP/1.1\r\nhost: x\r\n";
const GET: &str = "GET /api/v1/stats HTTP/1.1\r\nhost: x\r\n";

fn ambiguous() -> Vec<Attack> {
    let framing = |headers: &str, body: &str| format!("{POST}{headers}\r\n\r\n{body}{SMUGGLED}");
    vec![
        attack(
            "a length and chunks",
            framing("content-length: 5\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
            "400",
        ),
        attack(
            "chunks and a length",
            framing("transfer-encoding: chunked\r\ncontent-length: 5", "0\r\n\r\n"),
            "400",
        ),
        attack("two lengths", framing("content-length: 0\r\ncontent-length: 50", ""), "400"),
        attack("the same length twice", framing("content-length: 0\r\ncontent-length: 0", ""), "400"),
        attack("a list of lengths", framing("content-length: 0, 50", ""), "400"),
        attack("a signed length", framing("content-length: +0", ""), "400"),
        attack("a negative length", framing("content-length: -1", ""), "400"),
        attack("a length in hexadecimal", framing("content-length: 0x10", ""), "400"),
        attack("a length that overflows", framing("content-length: 99999999999999999999", ""), "400"),
        attack("an unknown coding", framing("transfer-encoding: xchunked", ""), "400"),
        attack("a coding after chunks", framing("transfer-encoding: chunked, identity", ""), "400"),
        attack("a coding before chunks", framing("transfer-encoding: gzip, chunked", ""), "400"),
        attack(
            "two codings",
            framing("transfer-encoding: chunked\r\ntransfer-encoding: identity", ""),
            "400",
        ),
        attack("a coding with a tab", framing("transfer-encoding:\tchunked\u{b}", ""), "400"),
        attack(
            "a space before the colon",
            framing("content-length : 5\r\ntransfer-encoding : chunked", ""),
            "400",
        ),
        attack("a folded header", framing("x-folded: a\r\n content-length: 50", ""), "400"),
        attack("a folded coding", framing("transfer-encoding:\r\n chunked", ""), "400"),
        attack("NUL in a value", framing("x-nul: a\0b", ""), "400"),
        attack("NUL in a name", framing("x-\0nul: a", ""), "400"),
        attack("a carriage return in a value", framing("x-cr: a\rb: c", ""), "400"),
        attack("no host", "GET /api/v1/stats HTTP/1.1\r\n\r\n", "400"),
        attack("two hosts", format!("{GET}host: y\r\n\r\n"), "400"),
        attack("another host in the target", "GET http://y/api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("no version", "GET /api/v1/stats\r\n\r\n", "400"),
        attack("another version", "GET /api/v1/stats HTTP/1.7\r\nhost: x\r\n\r\n", "400"),
        attack("another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        attack("a space in the target", "GET /api/v1/stats /x HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("a tunnel", "CONNECT x:443 HTTP/1.1\r\nhost: x:443\r\n\r\n", "405"),
        attack("an echo", "TRACE /api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n", "405"),
        attack("a path that climbs", "GET /api/v1/stats/../projects HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("one that is encoded", "GET /api/v1/stats/%2e%2E/projects HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("with slashes encoded", "GET /api/v1/stats/..%2fprojects HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("with backslashes", "GET /api/v1/stats/..%5cprojects HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("encoded twice", "GET /api/v1/stats/%252e%252e/projects HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("NUL in the path", "GET /api/v1/stats/%00 HTTP/1.1\r\nhost: x\r\n\r\n", "400"),
        attack("two slashes at the front", "GET //api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        attack("two slashes inside", "GET /api//v1/stats HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        attack("an encoded prefix", "GET /api%2fv1/stats HTTP/1.1\r\nhost: x\r\n\r\n", "404"),
        attack("64 KiB of headers", format!("{GET}x-large: {}\r\n\r\n", "x".repeat(64 << 10)), "431"),
        attack("200 KiB of headers", format!("{GET}x-large: {}\r\n\r\n", "x".repeat(200 << 10)), "431"),
        attack("many headers", format!("{GET}{}\r\n", "x: y\r\n".repeat(500)), "4"),
        attack(
            "a long target",
            format!("GET /api/v1/stats/{} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(200 << 10)),
            "4",
        ),
    ]
}

fn nobody_connected(service: &TcpListener) -> bool {
    service.accept().now_or_never().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_can_be_read_in_two_ways_reaches_nobody() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    for Attack(name, request, status) in ambiguous() {
        let mut client = Wire::to(gateway.address).await;
        client.send_as_far_as_it_is_taken(request).await;
        let head = client.read_head().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{name}: {head}");
        // Whatever else was sent on the connection is not answered by a service either.
        client.close().await;
        assert!(nobody_connected(&service), "{name}: the service was asked");
    }
}

/// What the service is sent for a request of one client.
async fn seen(headers_and_body: &str) -> (String, String) {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let mut client = Wire::to(gateway.address).await;
    client.send(format!("{POST}{headers_and_body}{SMUGGLED}")).await;
    let mut first = Wire::accepted(&service).await;
    let head = first.read_head().await;
    first.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let rest = first.read_all().await;
    (head, rest)
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_are_framed_anew_and_what_follows_is_another_request() {
    for body in [
        "transfer-encoding: chunked\r\n\r\n5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-trailer: a\r\n\r\n",
        "transfer-encoding: Chunked\r\n\r\n0005\r\nhello\r\n000\r\n\r\n",
    ] {
        let (head, rest) = seen(body).await;
        assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
        assert_eq!(rest.to_lowercase(), "5\r\nhello\r\n0\r\n\r\n", "{body}");
    }
    let (head, rest) = seen("content-length: 5\r\n\r\nhello").await;
    assert!(head.contains("content-length: 5") && !head.contains("transfer-encoding"), "{head}");
    assert_eq!(rest, "hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_not_valid_end_the_request() {
    for chunks in [
        "5\nhello\n0\n\n",
        "-5\r\nhello\r\n",
        "5 5\r\nhello\r\n",
        "fffffffffffffffff\r\n",
        "\r\n",
        "5\r\nhelloX\r\n",
    ] {
        let (service, address) = listener().await;
        let gateway = Gateway::before(address);
        let mut client = Wire::to(gateway.address).await;
        client.send(format!("{POST}transfer-encoding: chunked\r\n\r\n{chunks}{SMUGGLED}")).await;
        let head = client.read_head().await;
        // actix closes the connection, sometimes before it has said why.
        assert!(head.is_empty() || head.starts_with("http/1.1 400"), "{chunks:?}: {head}");
        client.close().await;
        if let Some(Ok((stream, _))) = service.accept().now_or_never() {
            let rest = Wire::over(stream).read_all().await;
            assert!(!rest.contains("/api/v1/projects") && !rest.ends_with("0\r\n\r\n"), "{chunks:?}: {rest}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bare_line_feeds_hide_nothing() {
    // They end lines here as they do for most readers; the service gets lines of its own.
    let (head, _) = seen("x-a: b\ncontent-length: 5\n\nhello").await;
    assert!(head.contains("content-length: 5\r\n") && !head.replace("\r\n", "").contains('\n'), "{head:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_away_what_the_gateway_says() {
    let said =
        ["x-forwarded-for", "x-request-id", "forwarded", "x-forwarded-proto", "host", "content-length"];
    let (head, _) =
        seen(&format!("connection: {}, close\r\ncontent-length: 5\r\n\r\nhello", said.join(", "))).await;
    for name in said {
        assert!(head.contains(&format!("\r\n{name}: ")), "{name} not in {head}");
    }
    let (head, _) = seen("connection: x-api-key\r\nx-api-key: k\r\ncontent-length: 5\r\n\r\nhello").await;
    assert!(!head.contains("x-api-key"), "a caller may only take away what is its own: {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_byte_by_byte_is_given_up() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    // Long enough that the head of a request is read in time on a machine that is busy.
    settings.client_timeout = Duration::from_millis(1_500);
    let gateway = Gateway::with(settings);
    for (request, drop) in [
        ("GET /api/v1/stats HTTP/1.1\r\nx: ".to_owned(), "x"),
        (format!("{GET}x: "), "x"),
        (format!("{POST}content-length: 1000000\r\n\r\n"), "x"),
        (format!("{POST}transfer-encoding: chunked\r\n\r\n"), "1\r\nx\r\n"),
    ] {
        let mut client = Wire::to(gateway.address).await;
        client.send(&request).await;
        let head = client.drip(drop, Duration::from_millis(20)).await;
        assert!(head.starts_with("http/1.1 408"), "{request}: {head}");
    }
    // The bodies were on their way; neither is taken for a whole one.
    for _ in 0..2 {
        let sent = Wire::accepted(&service).await.read_all().await;
        assert!(!sent.ends_with("0\r\n\r\n"), "{sent}");
    }
    assert!(nobody_connected(&service), "the service was asked");
}
