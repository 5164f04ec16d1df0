//! How much a client may send.

use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};

use crate::gateway::{Gateway, client, nobody, settings};
use crate::upstream::Upstream;

const LIMIT: u64 = 100_000;

fn chunked(bytes: usize) -> reqwest::Body {
    let chunks =
        stream::iter(0..bytes / 1000).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1000])));
    reqwest::Body::wrap_stream(chunks)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_exactly_the_limit_passes_and_a_larger_one_does_not() {
    let upstream = Upstream::mirror();
    let mut settings = settings(upstream.address);
    settings.max_body = LIMIT;
    let gateway = Gateway::with(settings);
    for (body, status) in [
        (reqwest::Body::from(vec![b'x'; 100_000]), 200),
        (reqwest::Body::from(vec![b'x'; 100_001]), 413),
        (chunked(100_000), 200),
        (chunked(101_000), 413),
        (chunked(20_000_000), 413),
    ] {
        let answer = client().post(gateway.url("/api/v1/events")).body(body).send().await.unwrap();
        assert_eq!(answer.status(), status);
        if status == 413 {
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert!(answer.text().await.unwrap().contains("the body has more than 100000 bytes"));
        }
    }
    // The service is none the worse for it.
    assert_eq!(gateway.get("/api/v1/stats").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_size_is_refused_before_anybody_is_asked() {
    let mut settings = settings(nobody());
    settings.max_body = LIMIT;
    let gateway = Gateway::with(settings);
    let answer = client().post(gateway.url("/api/v1/events")).body(vec![b'x'; 100_001]).send().await.unwrap();
    assert_eq!(answer.status(), 413);
}
