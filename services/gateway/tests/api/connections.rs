//! Connections to a service are kept, and a kept one that has gone stale costs no request.

use crate::gateway::Gateway;
use crate::raw::{Wire, listener};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET: &str = "GET /api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n";
const POST: &str = "POST /api/v1/stats HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody";

/// One exchange, so that there is a connection to keep. All on one connection of the client: each worker of the
/// gateway has its own connections to the service.
async fn acquainted(gateway: &Gateway, service: &tokio::net::TcpListener) -> (Wire, Wire) {
    acquainted_by(GET, gateway, service).await
}

async fn acquainted_by(request: &str, gateway: &Gateway, service: &tokio::net::TcpListener) -> (Wire, Wire) {
    let mut client = Wire::to(gateway.address).await;
    client.send(request).await;
    let mut kept = Wire::accepted(service).await;
    kept.read_head().await;
    kept.send(OK).await;
    client.read_to("ok").await;
    (client, kept)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let (mut client, mut kept) = acquainted(&gateway, &service).await;
    for request in [GET, POST, GET, POST] {
        client.send(request).await;
        let head = kept.read_head().await;
        if head.starts_with("post") {
            kept.read_to("body").await;
        }
        kept.send(OK).await;
        assert!(client.read_head().await.starts_with("http/1.1 200"));
        client.read_to("ok").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_safe_is_repeated_when_the_kept_connection_was_being_closed() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    for reset in [false, true] {
        let (mut client, mut stale) = acquainted(&gateway, &service).await;
        client.send(GET).await;
        stale.read_head().await;
        if reset {
            stale.reset()
        } else {
            drop(stale)
        }
        let mut fresh = Wire::accepted(&service).await;
        assert!(fresh.read_head().await.starts_with("get /api/v1/stats"));
        fresh.send(OK).await;
        assert!(client.read_head().await.starts_with("http/1.1 200"), "reset: {reset}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_repeated_once_and_only_if_the_connection_was_a_kept_one() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let (mut client, mut stale) = acquainted(&gateway, &service).await;
    client.send(GET).await;
    stale.read_head().await;
    drop(stale);
    let mut fresh = Wire::accepted(&service).await;
    fresh.read_head().await;
    drop(fresh);
    let head = client.read_head().await;
    assert!(head.starts_with("http/1.1 503") && head.contains("retry-after: 1"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_may_have_had_an_effect_is_not_repeated() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let without_a_body = "POST /api/v1/stats HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n";
    for request in [POST, without_a_body] {
        let (mut client, mut stale) = acquainted(&gateway, &service).await;
        client.send(request).await;
        stale.read_head().await;
        drop(stale);
        assert!(client.read_head().await.starts_with("http/1.1 503"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_that_stores_events_or_uses_up_a_sign_in_is_not_repeated() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    for path in [
        "/track?data=%7B%7D",
        "/%74rack/?data=%7B%7D",
        "/import?data=%7B%7D",
        "/engage?data=%7B%7D",
        "/groups/?data=%7B%7D",
        "/auth/google/callback?code=1&state=2",
        "/api/v1/auth/google/callback?code=1&state=2",
        "/api/v1/auth/oidc/callback?code=1&state=2",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        let (mut client, mut stale) = acquainted_by(&request, &gateway, &service).await;
        client.send(&request).await;
        assert!(stale.read_head().await.starts_with("get /"));
        drop(stale);
        let head = client.read_head().await;
        assert!(head.starts_with("http/1.1 503") && head.contains("retry-after"), "{path}: {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_of_which_nothing_was_sent_finds_its_way() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let mut client = Wire::to(gateway.address).await;
    let (closed, mut closings) = tokio::sync::mpsc::channel(1);
    // The service closes after each answer without having announced it, and the next request is on its way when it
    // has: sometimes the gateway knows already, sometimes it finds out when it is about to send.
    let serving = tokio::spawn(async move {
        for _ in 0..200 {
            let mut once = Wire::accepted(&service).await;
            once.read_head().await;
            once.read_to("body").await;
            once.send(OK).await;
            drop(once);
            closed.send(()).await.unwrap();
        }
    });
    for _ in 0..200 {
        client.send(POST).await;
        let head = client.read_head().await;
        assert!(head.starts_with("http/1.1 200"), "{head}");
        client.read_to("ok").await;
        closings.recv().await.unwrap();
    }
    serving.await.unwrap();
}
