//! The limits of `/api/v1/events` hold here, too, in the words of each format.

use serde_json::{Value, json};

use crate::stage::{Stage, answer};

fn segment(events: usize) -> Value {
    let event = |n: usize| json!({"type": "track", "event": "e", "userId": n});
    json!({"batch": (0..events).map(event).collect::<Vec<_>>()})
}

#[actix_web::test]
async fn ten_thousand_events_pass_and_one_more_does_not() {
    let stage = Stage::set().await;
    let (status, said) = answer(stage.send_to("/v1/batch", segment(10_000).to_string())).await;
    assert_eq!((status, &said["accepted"]), (200, &json!(10_000)));
    let (status, said) = answer(stage.send_to("/v1/batch", segment(10_001).to_string())).await;
    assert_eq!((status, &said["code"]), (413, &json!("too_large")));
    let events = vec![json!({"event_type": "e", "user_id": "ada"}); 10_001];
    let (status, said) = answer(stage.send_to("/2/httpapi", json!({"events": events}).to_string())).await;
    assert_eq!((status, &said["code"]), (413, &json!(413)));
    let lines = "{\"event\": \"e\"}\n".repeat(10_001);
    assert_eq!(answer(stage.send_to("/import", lines)).await.0, 413);
    let (status, said) = answer(stage.send_to("/v1/batch", vec![b' '; (10 << 20) + 1])).await;
    assert_eq!((status, &said["code"]), (413, &json!("too_large")));
}

#[actix_web::test]
async fn an_event_beyond_32_kib_is_refused_alone() {
    let stage = Stage::set().await;
    let mut body = segment(2);
    body["batch"][1]["properties"] = json!({"x": "y".repeat(33 * 1024)});
    let (status, said) = answer(stage.send_to("/v1/batch", body.to_string())).await;
    assert_eq!(
        (status, &said["accepted"], &said["errors"][0]["code"]),
        (200, &json!(1), &json!("event_too_large"))
    );
}

#[actix_web::test]
async fn a_key_that_only_reads_sends_nothing() {
    let stage = Stage::set().await;
    let reader = millrace_security::api_key::ApiKey::generate().unwrap();
    stage.grant(&reader, &[millrace_domain::access::Scope::Read]).await;
    for (path, status) in [("/v1/batch", 403), ("/batch/", 403), ("/2/httpapi", 400), ("/track", 403)] {
        let body = json!({"batch": [], "events": [], "event": "e", "api_key": reader.reveal(), "writeKey": reader.reveal(),
                          "properties": {"token": reader.reveal()}});
        assert_eq!(answer(stage.anonymous(path).body(body.to_string())).await.0, status, "{path}");
    }
}
