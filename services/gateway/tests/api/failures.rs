//! Services that fail, and what their clients are told.

use std::time::Duration;

use serde_json::Value;

use crate::gateway::{Gateway, client, nobody, settings};
use crate::raw::{Wire, listener};
use crate::upstream::Upstream;

/// Short enough to wait for, long enough not to come by chance before the answer.
const PATIENCE: Duration = Duration::from_millis(300);

async fn problem(answer: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], code);
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_unavailable_and_the_client_may_come_again() {
    let gateway = Gateway::before(nobody());
    let answer = client().post(gateway.url("/api/v1/events")).body("[]").send().await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    let problem = problem(answer, 503, "unavailable").await;
    assert_eq!(problem["detail"], "the ingest service is unavailable, try again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_comes_back_is_found_again() {
    let upstream = Upstream::mirror();
    let address = upstream.address;
    let gateway = Gateway::before(address);
    let client = client();
    let ask = || async { client.get(gateway.url("/api/v1/stats")).send().await.unwrap().status() };
    assert_eq!(ask().await, 200);
    upstream.stop().await;
    assert_eq!(ask().await, 503);
    let _again = Upstream::start_at(address, |service| {
        service.default_service(actix_web::web::to(|| async { "back" }));
    });
    assert_eq!(ask().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_nothing_is_given_up() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    settings.upstream_timeout = PATIENCE;
    let gateway = Gateway::with(settings);
    let asking = tokio::spawn(client().get(gateway.url("/api/v1/stats")).send());
    let mut silent = Wire::accepted(&service).await;
    silent.read_head().await;
    problem(asking.await.unwrap().unwrap(), 504, "gateway_timeout").await;
    assert_eq!(silent.read_all().await, "", "and its connection is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_not_http_is_a_bad_gateway() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let asking = tokio::spawn(client().get(gateway.url("/api/v1/stats")).send());
    let mut confused = Wire::accepted(&service).await;
    confused.read_head().await;
    confused.send("220 mail.example ESMTP\r\n").await;
    problem(asking.await.unwrap().unwrap(), 502, "bad_gateway").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_never_looks_like_a_whole_one() {
    for (framing, part) in [("transfer-encoding: chunked", "5\r\nhello\r\n"), ("content-length: 10", "hello")]
    {
        for reset in [false, true] {
            let (service, address) = listener().await;
            let gateway = Gateway::before(address);
            let mut client = Wire::to(gateway.address).await;
            client.send("GET /api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n").await;
            let mut killed = Wire::accepted(&service).await;
            killed.read_head().await;
            killed.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{part}")).await;
            assert!(client.read_head().await.contains(framing));
            assert!(client.read_to("hello").await.ends_with("hello"));
            if reset {
                killed.reset()
            } else {
                drop(killed)
            }
            // The connection ends, and not with the empty chunk that would make the answer complete.
            assert_eq!(client.read_all().await.trim(), "", "{framing}, reset: {reset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stops_in_the_middle_is_cut() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    settings.upstream_timeout = PATIENCE;
    let gateway = Gateway::with(settings);
    let mut client = Wire::to(gateway.address).await;
    client.send("GET /api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut stuck = Wire::accepted(&service).await;
    stuck.read_head().await;
    stuck.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    client.read_head().await;
    assert_eq!(client.read_all().await, "5\r\nhello\r\n");
    assert_eq!(stuck.read_all().await, "", "and the service's connection is closed too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_in_the_middle_of_its_body_is_given_up() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    settings.client_timeout = PATIENCE;
    let gateway = Gateway::with(settings);
    let mut client = Wire::to(gateway.address).await;
    client.send("POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello").await;
    let mut waiting = Wire::accepted(&service).await;
    assert!(client.read_head().await.starts_with("http/1.1 408"));
    assert!(waiting.read_all().await.ends_with("hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let mut client = Wire::to(gateway.address).await;
    client.send("POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello").await;
    let mut waiting = Wire::accepted(&service).await;
    waiting.read_to("hello").await;
    drop(client);
    assert_eq!(waiting.read_all().await, "", "the service does not wait for the rest");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_keeps_no_service_busy() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    settings.upstream_timeout = PATIENCE;
    settings.upstream_requests = 1;
    let gateway = Gateway::with(settings);
    let mut idle = Wire::to(gateway.address).await;
    idle.send("GET /api/v1/stats HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut busy = Wire::accepted(&service).await;
    busy.read_head().await;
    busy.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
    busy.send_until_closed(&[b'x'; 65536]).await;
    let asking = tokio::spawn(client().get(gateway.url("/api/v1/stats")).send());
    let mut next = Wire::accepted(&service).await;
    next.read_head().await;
    next.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
    assert!(idle.count_all().await < 1_000_000_000, "and what it got is not a whole answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_upload_is_not_a_silent_service() {
    let upstream = Upstream::mirror();
    let mut settings = settings(upstream.address);
    settings.upstream_timeout = PATIENCE;
    let gateway = Gateway::with(settings);
    let mut client = Wire::to(gateway.address).await;
    client.send("POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n").await;
    let mut tick = tokio::time::interval(PATIENCE / 5);
    for _ in 0..10 {
        tick.tick().await;
        client.send("x").await;
    }
    assert!(client.read_head().await.starts_with("http/1.1 200"));
}
