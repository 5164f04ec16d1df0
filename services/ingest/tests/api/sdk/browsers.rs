//! What browsers send: their SDKs as they are published, on a page of another origin, and byte for byte what they would
//! send where no SDK was made to.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millrace_testkit::wait;
use serde_json::{Value, json};

use super::{Street, told};
use crate::stage::{Stage, answer};

#[actix_web::test]
async fn what_browser_sdks_send_from_a_page_of_another_origin_is_stored() {
    let street = Street::set().await;
    let scripts =
        ["segment_browser.mjs", "rudder_browser.mjs", "posthog_browser.mjs", "mixpanel_browser.mjs"];
    let run = async |script: &str| street.run(script, street.stage.key.reveal(), Value::Null).await;
    let errors = futures_util::future::join_all(scripts.map(run)).await;
    for (script, errors) in scripts.iter().zip(errors) {
        assert_eq!(errors, [""; 0], "{script}");
    }
    let client = street.stage.database.client().await;
    let (user, event, ..) = told();
    let count = async |event_type: &str| -> i64 {
        let query = "SELECT count(*) FROM events WHERE event_type = $1 AND user_id = $2";
        client.query_one(query, &[&event_type, &user]).await.unwrap().get(0)
    };
    wait::until("each has told its story", async || count(&event).await == 4).await;
    wait::until("what was said before is stored as well", async || {
        count("$identify").await >= 3 && count("$page").await == 2 && count("$set").await >= 1
    })
    .await;
    let groups = "SELECT user_id FROM events WHERE event_type = '$groupidentify'";
    assert_eq!(client.query_one(groups, &[]).await.unwrap().get::<_, &str>(0), "company:acme");
    let keys =
        "SELECT count(*) FROM events WHERE properties::text || coalesce(context::text, '') LIKE '%mr\\_%'";
    assert_eq!(client.query_one(keys, &[]).await.unwrap().get::<_, i64>(0), 0, "no key is stored");
}

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

#[actix_web::test]
async fn every_browser_sdk_is_answered_what_it_asks_first() {
    let stage = Stage::set().await;
    let got = async |path: &str| -> Value {
        let response = stage.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    };
    let settings = got("/v1/projects/mr_key/settings").await;
    assert_eq!(settings["integrations"]["Segment.io"]["apiKey"], "mr_key");
    assert_eq!(settings["plan"]["track"]["__default"]["enabled"], true);
    for path in ["/sourceConfig/?p=npm&v=3&writeKey=mr_key", "/sourceConfig?writeKey=mr_key"] {
        let source = &got(path).await["source"];
        assert!(
            source["id"].is_string() && source["config"].is_object() && source["destinations"] == json!([])
        );
        assert_eq!((&source["writeKey"], &source["enabled"]), (&json!("mr_key"), &json!(true)));
    }
    let (status, decided) = answer(stage.anonymous("/decide/?v=3").body("{}")).await;
    assert_eq!(
        (status, &decided["featureFlags"], &decided["sessionRecording"]),
        (200, &json!({}), &json!(false))
    );
    let script = stage.get("/array/mr_key/config.js").await;
    assert_eq!(script.headers()["content-type"], "application/javascript");
    let script = script.text().await.unwrap();
    let (_, entry) = script.split_once("_POSTHOG_REMOTE_CONFIG['mr_key']=").unwrap();
    let entry: Value = serde_json::from_str(entry.trim_end().trim_end_matches(";})();")).unwrap();
    assert_eq!(entry["config"], got("/array/mr_key/config").await);
    assert_eq!(stage.get("/array/'+alert(1)+'/config.js").await.status(), 404, "a key is no script");
}

#[actix_web::test]
async fn rudderstacks_beacon_carries_its_key_in_the_query() {
    let stage = Stage::set().await;
    let body = json!({"batch": [{"type": "page", "anonymousId": "a", "messageId": "m-1", "name": "home"}]});
    let path = format!("/beacon/v1/batch?writeKey={}", stage.key.reveal());
    let request = stage.anonymous(&path).header("Content-Type", "text/plain;charset=UTF-8");
    let (status, said) = answer(request.body(body.to_string())).await;
    assert_eq!((status, &said["accepted"]), (200, &json!(1)), "{said}");
}

#[actix_web::test]
async fn mixpanels_browser_sdk_keeps_what_it_knows_of_people_and_groups() {
    let stage = Stage::set().await;
    let key = stage.key.reveal();
    for (path, update) in [
        ("/engage/?verbose=1&ip=1", json!([{"$token": key, "$distinct_id": "ada", "$set": {"plan": "pro"}}])),
        (
            "/groups/?verbose=1",
            json!({"$token": key, "$group_key": "company", "$group_id": "7", "$set": {"a": 1}}),
        ),
    ] {
        let packed = format!("data={}", STANDARD.encode(update.to_string()).replace('+', "%2B"));
        let request = stage.anonymous(path).header("Content-Type", "application/x-www-form-urlencoded");
        let (status, said) = answer(request.body(packed)).await;
        assert_eq!((status, &said["status"]), (200, &json!(1)), "{path}: {said}");
    }
    assert_eq!(stage.anonymous("/engage").body("[]").send().await.unwrap().status(), 401);
}
