//! A service that does not answer is left alone, and takes nobody with it.

use std::time::Duration;

use futures_util::FutureExt;
use millrace_testkit::wait;
use tokio::net::TcpListener;

use crate::gateway::{Gateway, client, settings};
use crate::raw::{Wire, listener};
use crate::upstream::Upstream;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

/// Asks five times in vain, and gives what the sixth is told.
async fn five_in_vain(gateway: &Gateway, status: u16, mut fail: impl AsyncFnMut()) -> reqwest::Response {
    for _ in 0..5 {
        let asking = tokio::spawn(client().get(gateway.url("/api/v1/stats")).send());
        fail().await;
        assert_eq!(asking.await.unwrap().unwrap().status(), status);
    }
    gateway.get("/api/v1/stats").await
}

fn nobody_connected(service: &TcpListener) -> bool {
    service.accept().now_or_never().is_none()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_up_five_times_is_left_alone_until_it_answers() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let refused = five_in_vain(&gateway, 503, async || {
        Wire::accepted(&service).await.read_head().await;
    })
    .await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(nobody_connected(&service), "the service was not asked");

    let answering = tokio::spawn(async move {
        loop {
            let mut once = Wire::accepted(&service).await;
            once.read_head().await;
            once.send(OK).await;
        }
    });
    wait::until("it is asked again", async || gateway.get("/api/v1/stats").await.status() == 200).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/v1/stats").await.status(), 200);
    }
    answering.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_one_that_says_nothing() {
    let (service, address) = listener().await;
    let mut settings = settings(address);
    settings.upstream_timeout = Duration::from_millis(100);
    let gateway = Gateway::with(settings);
    let mut silent = Vec::new();
    let refused = five_in_vain(&gateway, 504, async || silent.push(Wire::accepted(&service).await)).await;
    assert_eq!(refused.status(), 503);
    assert!(nobody_connected(&service), "the service was not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_refuses_is_not() {
    let busy = Upstream::start(|service| {
        let busy = || async { actix_web::HttpResponse::ServiceUnavailable().body("busy") };
        service.default_service(actix_web::web::to(busy));
    });
    let gateway = Gateway::before(busy.address);
    for _ in 0..20 {
        assert_eq!(gateway.get("/api/v1/stats").await.text().await.unwrap(), "busy");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_is_one_whose_clients_go_away() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    for _ in 0..9 {
        let mut client = Wire::to(gateway.address).await;
        client.send("POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello").await;
        let mut waiting = Wire::accepted(&service).await;
        waiting.read_to("hello").await;
        drop(client);
        waiting.read_all().await;
    }
    let asking = tokio::spawn(client().get(gateway.url("/api/v1/events")).send());
    let mut once = Wire::accepted(&service).await;
    once.read_head().await;
    once.send(OK).await;
    assert_eq!(asking.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_does_not_take_the_others_with_it() {
    let (hanging, address) = listener().await;
    let analytics = Upstream::mirror();
    let mut settings = settings(address);
    settings.origins.analytics = format!("http://{}", analytics.address).parse().unwrap();
    settings.upstream_requests = 8;
    let gateway = Gateway::with(settings);
    let mut in_hand = Vec::new();
    for _ in 0..8 {
        let asking = tokio::spawn(client().get(gateway.url("/api/v1/projects")).send());
        in_hand.push((asking, Wire::accepted(&hanging).await));
    }
    let refused = gateway.get("/api/v1/projects").await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    assert!(nobody_connected(&hanging));
    assert_eq!(gateway.get("/api/v1/stats").await.status(), 200);

    let (asking, mut slow) = in_hand.pop().unwrap();
    slow.read_head().await;
    slow.send(OK).await;
    assert_eq!(asking.await.unwrap().unwrap().text().await.unwrap(), "ok");
    let next = tokio::spawn(client().get(gateway.url("/api/v1/projects")).send());
    let mut slow = Wire::accepted(&hanging).await;
    slow.read_head().await;
    slow.send(OK).await;
    assert_eq!(next.await.unwrap().unwrap().status(), 200, "there is room again");
}
