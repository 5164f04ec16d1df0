//! Answers are compressed for clients that take them so.

use std::io::Read;

use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::gateway::{DEADLINE, Gateway, client};
use crate::upstream::Upstream;

const TEXT: &str = r#"{"event_type":"order_completed","count":1234},"#;

/// Answers `/api/v1/stats/{kind}`.
fn library() -> Upstream {
    async fn book(request: HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::Ok();
        let large = TEXT.repeat(1000);
        match request.path().rsplit('/').next().unwrap() {
            "json" => answer.content_type("application/json").insert_header(("etag", "\"7\"")).body(large),
            "chunks" => {
                let chunks = stream::iter(
                    (0..1000).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(TEXT.as_bytes()))),
                );
                answer.content_type("application/json").streaming(chunks)
            }
            "small" => answer.content_type("application/json").body(TEXT),
            "image" => answer.content_type("image/png").body(large),
            "encoded" => {
                answer.content_type("application/json").insert_header(("content-encoding", "br")).body(large)
            }
            "secret" => answer
                .content_type("application/json")
                .insert_header(("cache-control", "no-store"))
                .body(large),
            _ => answer
                .status(actix_web::http::StatusCode::UNPROCESSABLE_ENTITY)
                .content_type("application/problem+json")
                .body(large),
        }
    }
    Upstream::start(|service| {
        service.default_service(web::to(book));
    })
}

fn inflate(encoding: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_string(&mut text),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_string(&mut text),
        "zstd" => zstd::stream::read::Decoder::new(bytes).unwrap().read_to_string(&mut text),
        _ => unreachable!("{encoding}"),
    }
    .unwrap();
    text
}

async fn ask(gateway: &Gateway, kind: &str, accepted: &str) -> reqwest::Response {
    let request =
        client().get(gateway.url(&format!("/api/v1/stats/{kind}"))).header("accept-encoding", accepted);
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_texts_are_compressed_as_the_client_likes() {
    let (library, text) = (library(), TEXT.repeat(1000));
    let gateway = Gateway::before(library.address);
    for kind in ["json", "chunks", "problem"] {
        for (accepted, encoding) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("zstd", "zstd"),
            ("gzip;q=0.5, br;q=0.8, deflate", "br"),
            ("deflate, gzip;q=0.1, br;q=0", "gzip"),
        ] {
            let answer = ask(&gateway, kind, accepted).await;
            assert_eq!(answer.headers()["content-encoding"], encoding, "{kind} {accepted}");
            assert_eq!(answer.headers()["vary"], "accept-encoding");
            assert!(!answer.headers().contains_key("content-length"));
            if kind == "json" {
                assert_eq!(answer.headers()["etag"], "W/\"7\"");
            }
            let bytes = answer.bytes().await.unwrap();
            assert!(bytes.len() * 4 < text.len(), "{encoding}: {} of {}", bytes.len(), text.len());
            assert_eq!(inflate(encoding, &bytes), text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_stays_as_it_is() {
    let library = library();
    let gateway = Gateway::before(library.address);
    for (kind, accepted) in [
        ("json", "identity"),
        ("json", "deflate"),
        ("json", "gzip;q=0"),
        ("json", ""),
        ("small", "gzip"),
        ("image", "gzip"),
        ("secret", "gzip"),
    ] {
        let answer = ask(&gateway, kind, accepted).await;
        assert!(!answer.headers().contains_key("content-encoding"), "{kind} {accepted}");
        let length = answer.headers()["content-length"].to_str().unwrap().to_owned();
        assert_eq!(answer.text().await.unwrap().len().to_string(), length);
    }
    let encoded = ask(&gateway, "encoded", "gzip").await;
    assert_eq!(encoded.headers().get_all("content-encoding").iter().collect::<Vec<_>>(), ["br"]);
    let head = client().head(gateway.url("/api/v1/stats/json")).header("accept-encoding", "gzip");
    assert!(!head.send().await.unwrap().headers().contains_key("content-encoding"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_is_not_held_back() {
    let (chunks, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
    let upstream = Upstream::start(move |service| {
        let receiver = std::sync::Arc::clone(&receiver);
        let tail = move || {
            let body = stream::unfold(std::sync::Arc::clone(&receiver), |receiver| async {
                let chunk = receiver.lock().await.recv().await?;
                Some((Ok::<_, std::io::Error>(chunk), receiver))
            });
            async { HttpResponse::Ok().content_type("application/x-ndjson").streaming(body) }
        };
        service.default_service(web::to(tail));
    });
    let gateway = Gateway::before(upstream.address);
    let asking = tokio::spawn(async move {
        ask(&gateway, "tail", "gzip").await.bytes_stream().map(Result::unwrap).boxed()
    });
    chunks.send(Bytes::from_static(b"first\n")).await.unwrap();
    let mut answer = asking.await.unwrap();
    let mut inflater = flate2::write::GzDecoder::new(Vec::new());
    for (line, next) in [("first\n", Some("second\n")), ("second\n", None)] {
        let before = inflater.get_ref().len();
        while inflater.get_ref().len() < before + line.len() {
            let chunk = tokio::time::timeout(DEADLINE, answer.next()).await.unwrap().expect("the line comes");
            std::io::Write::write_all(&mut inflater, &chunk).unwrap();
            std::io::Write::flush(&mut inflater).unwrap();
        }
        assert_eq!(&inflater.get_ref()[before..], line.as_bytes());
        if let Some(next) = next {
            chunks.send(Bytes::from_static(next.as_bytes())).await.unwrap();
        }
    }
}
