//! What browsers send, byte for byte as their SDKs would: there is no browser here to run them.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

#[actix_web::test]
async fn segments_browser_sdk_sends_plain_text_to_one_letter() {
    let stage = Stage::set().await;
    let message =
        json!({"anonymousId": "a", "event": "e", "messageId": "ajs-next-1", "writeKey": stage.key.reveal()});
    for (path, accepted) in [("/v1/t", 1), ("/v1/track", 0)] {
        let request = stage.anonymous(path).header("Content-Type", "text/plain").body(message.to_string());
        let (status, said) = answer(request).await;
        assert_eq!((status, &said["accepted"]), (200, &json!(accepted)), "{path}: {said}");
    }
    assert_eq!(answer(stage.anonymous("/v1/u").body(message.to_string())).await.0, 404);
}

#[actix_web::test]
async fn messages_that_are_all_refused_are_400_and_say_why() {
    let stage = Stage::set().await;
    let message = json!({"userId": "ada", "writeKey": stage.key.reveal()}).to_string();
    let (status, said) = answer(stage.anonymous("/v1/track").body(message)).await;
    assert_eq!(
        (status, &said["code"], &said["message"]),
        (400, &json!("missing_event_type"), &json!("event is missing"))
    );
    let (status, said) = answer(stage.anonymous("/v1/track").body(r#"{"writeKey": "no"}"#)).await;
    assert_eq!((status, &said["code"]), (401, &json!("unauthenticated")));
    assert!(said["message"].is_string());
}

#[actix_web::test]
async fn posthogs_browser_sdk_compresses_without_a_header_or_packs_a_form() {
    let stage = Stage::set().await;
    let event = |uuid: u8| {
        json!([{"event": "$pageview", "uuid": format!("6a13d76c-c7a5-4b40-a74b-09f4c6f3eb{uuid:02}"),
                "properties": {"token": stage.key.reveal(), "distinct_id": "ada"}, "offset": 3}])
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(event(1).to_string().as_bytes()).unwrap();
    let packed = format!("data={}", STANDARD.encode(event(2).to_string()).replace('+', "%2B"));
    for (path, media, body) in [
        ("/e/?compression=gzip-js&ip=0&_=1", "text/plain", gzip.finish().unwrap()),
        ("/e/?compression=base64", "application/x-www-form-urlencoded", packed.into_bytes()),
        ("/i/v0/e/", "application/json", event(3).to_string().into_bytes()),
        ("/capture/", "application/json", event(4).to_string().into_bytes()),
        ("/batch", "application/json", event(5).to_string().into_bytes()),
    ] {
        let (status, said) = answer(stage.anonymous(path).header("Content-Type", media).body(body)).await;
        assert_eq!(
            (status, &said["status"], &said["accepted"]),
            (200, &json!(1), &json!(1)),
            "{path}: {said}"
        );
    }
    let beacon = stage.anonymous("/e/?beacon=1").body(event(6).to_string()).send().await.unwrap();
    assert_eq!(beacon.status(), 204);
}

#[actix_web::test]
async fn posthogs_browser_sdk_starts_without_flags() {
    let stage = Stage::set().await;
    let config: Value = stage.get("/array/phc_key/config").await.json().await.unwrap();
    assert_eq!(config["hasFeatureFlags"], false);
    let (status, flags) = answer(stage.anonymous("/flags/?v=2").body("{}")).await;
    assert_eq!((status, &flags["featureFlags"]), (200, &json!({})));
}

#[actix_web::test]
async fn a_body_that_only_shows_when_it_is_read_that_it_is_compressed_is_bounded_too() {
    let stage = Stage::set().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![b' '; 24 << 20]).unwrap();
    let (status, said) = answer(stage.anonymous("/e/").body(gzip.finish().unwrap())).await;
    assert_eq!((status, &said["code"]), (413, &json!("too_large")));
}
