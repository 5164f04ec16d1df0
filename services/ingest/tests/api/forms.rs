use std::io::Write;

use millrace_testkit::story::did;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

fn three() -> Vec<Value> {
    (0..3).map(|n| did(&format!("user-{n}"), "login", "2026-11-01T12:00:00Z").json()).collect()
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

#[actix_web::test]
async fn every_form_of_body_is_understood() {
    let stage = Stage::set().await;
    let one = three()[0].to_string();
    for (body, media_type, events) in [
        (json!(three()).to_string(), "application/json", 3),
        (json!({"events": three()}).to_string(), "application/json; charset=utf-8", 3),
        (json!(three()).to_string(), "text/plain", 3),
        (one, "application/json", 1),
        (lines(&three()), "application/x-ndjson", 3),
        ("[]".to_owned(), "application/json", 0),
    ] {
        let (status, verdicts) = answer(stage.send(body.clone()).header("Content-Type", media_type)).await;
        assert_eq!(status, 202, "{media_type} {body} {verdicts}");
        assert_eq!(verdicts["accepted"], events, "{media_type} {body}");
    }
}

#[actix_web::test]
async fn every_encoding_is_understood() {
    let stage = Stage::set().await;
    let mut bodies: Vec<(&str, Vec<u8>)> = Vec::new();
    let text = || json!(three()).to_string().into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text()).unwrap();
    bodies.push(("gzip", gzip.finish().unwrap()));
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&text()).unwrap();
    bodies.push(("deflate", deflate.finish().unwrap()));
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &text()[..], &mut brotli, &Default::default()).unwrap();
    bodies.push(("br", brotli));
    bodies.push(("zstd", zstd::encode_all(&text()[..], 3).unwrap()));
    bodies.push(("identity", text()));
    for (encoding, body) in bodies {
        let (status, verdicts) = answer(stage.send(body).header("Content-Encoding", encoding)).await;
        assert_eq!((status, &verdicts["accepted"]), (202, &json!(3)), "{encoding} {verdicts}");
    }
}

#[actix_web::test]
async fn what_is_not_spoken_here_is_said_to_be() {
    let stage = Stage::set().await;
    for (header, value) in
        [("Content-Type", "text/csv"), ("Content-Encoding", "compress"), ("Content-Encoding", "gzip, br")]
    {
        let (status, problem) = answer(stage.send("[]").header(header, value)).await;
        assert_eq!((status, &problem["code"]), (415, &json!("unsupported_media")), "{header}: {value}");
    }
}

#[actix_web::test]
async fn what_cannot_be_read_is_400_and_says_where() {
    let stage = Stage::set().await;
    for body in ["", "[", "[{]", "7", "\"text\"", "{\"events\": 3}", "{\"events\": [], \"more\": 1}"] {
        let response = stage.send(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "malformed", "{body}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}
