//! Bodies go through as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, Responder};
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{Semaphore, mpsc};

use crate::gateway::{DEADLINE, Gateway, client};
use crate::raw::{Wire, listener};
use crate::upstream::Upstream;

const MIB: usize = 1 << 20;
const TOTAL: usize = 50 * MIB;

/// Fifty mebibytes, a mebibyte at a time, each counted when it is taken.
fn fifty(taken: Arc<AtomicUsize>) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::iter(0..TOTAL / MIB).map(move |_| {
        taken.fetch_add(MIB, Ordering::SeqCst);
        Ok(Bytes::from(vec![b'm'; MIB]))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_arrives_while_the_service_is_still_sending_it() {
    let gate = Arc::new(Semaphore::new(1));
    let upstream = {
        let gate = Arc::clone(&gate);
        Upstream::start(move |service| {
            let gate = Arc::clone(&gate);
            let big = move || {
                let gate = Arc::clone(&gate);
                // Each mebibyte waits for its permit; the test gives the second one when it has the first.
                let body = fifty(Arc::default()).then(move |chunk| {
                    let gate = Arc::clone(&gate);
                    async move {
                        gate.acquire_owned().await.unwrap().forget();
                        chunk
                    }
                });
                async { HttpResponse::Ok().streaming(body) }
            };
            service.route("/api/v1/stats/big", web::get().to(big));
        })
    };
    let gateway = Gateway::before(upstream.address);
    let answer = gateway.get("/api/v1/stats/big").await;
    assert_eq!(answer.headers()["transfer-encoding"], "chunked");
    let mut chunks = answer.bytes_stream();
    let mut received = 0;
    while received < MIB {
        received += chunks.next().await.unwrap().unwrap().len();
    }
    assert_eq!(received, MIB, "no more has been sent");
    gate.add_permits(TOTAL / MIB);
    while let Some(chunk) = chunks.next().await {
        received += chunk.unwrap().len();
    }
    assert_eq!(received, TOTAL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_the_service_back() {
    let taken = Arc::new(AtomicUsize::new(0));
    let upstream = {
        let taken = Arc::clone(&taken);
        Upstream::start(move |service| {
            let taken = Arc::clone(&taken);
            let big = move || {
                let body = fifty(Arc::clone(&taken));
                async { HttpResponse::Ok().streaming(body) }
            };
            service.route("/api/v1/stats/big", web::get().to(big));
        })
    };
    let gateway = Gateway::before(upstream.address);
    let mut client = Wire::to(gateway.address).await;
    client.send("GET /api/v1/stats/big HTTP/1.1\r\nhost: x\r\n\r\n").await;
    client.read_head().await;
    assert!(comes_to_rest(&taken).await < TOTAL, "somebody holds all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_read_holds_the_client_back() {
    let (service, address) = listener().await;
    let gateway = Gateway::with({
        let mut settings = crate::gateway::settings(address);
        settings.max_body = 1 << 30;
        settings
    });
    let taken = Arc::new(AtomicUsize::new(0));
    let body = reqwest::Body::wrap_stream(fifty(Arc::clone(&taken)));
    let sending = client().post(gateway.url("/api/v1/events")).body(body).send();
    let sending = tokio::spawn(sending);
    let mut held = Wire::accepted(&service).await;
    held.read_head().await;
    assert!(comes_to_rest(&taken).await < TOTAL, "somebody holds all of it");
    sending.abort();
}

/// The count when it has not moved for half a second, or has reached the total.
async fn comes_to_rest(taken: &AtomicUsize) -> usize {
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let (mut last, mut since) = (0, Instant::now());
    loop {
        tick.tick().await;
        let count = taken.load(Ordering::SeqCst);
        if count != last {
            (last, since) = (count, Instant::now());
        }
        if count == TOTAL || (count > 0 && since.elapsed() > Duration::from_millis(500)) {
            return count;
        }
        assert!(since.elapsed() < DEADLINE, "nothing moves");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_reaches_the_service_chunk_by_chunk() {
    let (arrived, mut arrivals) = mpsc::channel::<Bytes>(1);
    let upstream = Upstream::start(move |service| {
        let arrived = arrived.clone();
        let take = move |mut body: web::Payload| {
            let arrived = arrived.clone();
            async move {
                while let Some(chunk) = body.next().await {
                    arrived.send(chunk.unwrap()).await.unwrap();
                }
                HttpResponse::Accepted().finish()
            }
        };
        service.route("/api/v1/events", web::post().to(take));
    });
    let gateway = Gateway::before(upstream.address);
    let (chunks, body) = mpsc::channel::<Bytes>(1);
    let body =
        stream::unfold(body, |mut body| async { Some((Ok::<_, std::io::Error>(body.recv().await?), body)) });
    let sending = client().post(gateway.url("/api/v1/events")).body(reqwest::Body::wrap_stream(body)).send();
    let sending = tokio::spawn(sending);
    for chunk in ["first", "second", "third"] {
        // The next one is sent when this one is there, so nobody can have waited for more.
        chunks.send(Bytes::from_static(chunk.as_bytes())).await.unwrap();
        let arrived = tokio::time::timeout(DEADLINE, arrivals.recv()).await.unwrap().unwrap();
        assert_eq!(arrived, chunk);
    }
    drop(chunks);
    assert_eq!(sending.await.unwrap().unwrap().status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_passed_back_although_the_upload_goes_on() {
    let upstream = Upstream::start(|service| {
        let refuse = || async { HttpResponse::Unauthorized().body("no such key") };
        service.route("/api/v1/events", web::post().to(refuse));
    });
    let gateway = Gateway::before(upstream.address);
    for framing in ["content-length: 1000000", "transfer-encoding: chunked"] {
        let mut client = Wire::to(gateway.address).await;
        client
            .send(format!("POST /api/v1/events HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n4\r\nmore\r\n"))
            .await;
        // The body never ends.
        let head = client.read_head().await;
        assert!(head.starts_with("http/1.1 401"), "{framing}: {head}");
        assert_eq!(client.read_to("key").await, "no such key", "{framing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_known_is_kept_both_ways() {
    let upstream = Upstream::mirror();
    let gateway = Gateway::before(upstream.address);
    let sized = client().post(gateway.url("/api/v1/events")).body("12345").send().await.unwrap();
    assert!(sized.headers().contains_key("content-length"));
    let seen = sized.text().await.unwrap();
    assert!(seen.contains("content-length: 5\n") && !seen.contains("transfer-encoding"), "{seen}");
    assert!(seen.ends_with("\n\n12345"), "{seen}");

    let empty =
        client().post(gateway.url("/api/v1/events")).header("content-length", "0").send().await.unwrap();
    let seen = empty.text().await.unwrap();
    assert!(seen.contains("content-length: 0\n"), "{seen}");

    let chunks = stream::iter(["12", "345"])
        .map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk.as_bytes())));
    let body = reqwest::Body::wrap_stream(chunks);
    let seen =
        client().post(gateway.url("/api/v1/events")).body(body).send().await.unwrap().text().await.unwrap();
    assert!(seen.contains("transfer-encoding: chunked\n") && !seen.contains("content-length"), "{seen}");
    assert!(seen.ends_with("\n\n12345"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_has_none() {
    async fn described() -> impl Responder {
        HttpResponse::Ok().insert_header(("etag", "\"7\"")).body("x".repeat(1234))
    }
    let upstream = Upstream::start(|service| {
        service
            .route("/api/v1/stats/dau", web::head().to(described))
            .route("/api/v1/stats/dau", web::get().to(|| async { HttpResponse::NotModified().finish() }))
            .route("/api/v1/stats/dau", web::delete().to(|| async { HttpResponse::NoContent().finish() }));
    });
    let gateway = Gateway::before(upstream.address);
    // On one connection: a stray byte of a body would be taken for the beginning of the next answer.
    let mut client = Wire::to(gateway.address).await;
    for (method, status) in [("HEAD", "200"), ("GET", "304"), ("DELETE", "204"), ("HEAD", "200")] {
        client.send(format!("{method} /api/v1/stats/dau HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        let head = client.read_head().await;
        assert!(head.starts_with(&format!("http/1.1 {status}")), "{head}");
        assert_eq!(head.contains("content-length: 1234"), method == "HEAD", "{head}");
    }
}
