//! The limits of `/api/v1/events` hold here, too, in the words of each format.

use serde_json::{Value, json};

use crate::limits::limited;
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

#[actix_web::test]
async fn what_a_project_may_still_send_is_told_and_more_is_put_off_as_each_format_has_it() {
    let event = |user: &str| {
        json!({"event": "e", "event_type": "e", "type": "track", "user_id": user, "userId": user, "distinct_id": user,
                                    "uuid": uuid(user), "timestamp": "2026-11-01T12:00:00Z", "properties": {"distinct_id": user}})
    };
    let two = json!([event("ada"), event("bob")]);
    // 429 is final for PostHog's Capture V1, whose SDKs would throw the events away.
    for (path, body, put_off) in [
        ("/v1/batch", json!({"batch": two}), 429),
        ("/batch/", json!({"batch": two}), 429),
        ("/i/v1/analytics/events", json!({"batch": two}), 503),
        ("/2/httpapi", json!({"events": two}), 429),
        ("/track", two.clone(), 429),
        ("/import", two.clone(), 429),
    ] {
        let stage = limited("1/h burst 3").await;
        let taken = stage.send_to(path, body.to_string()).send().await.unwrap();
        assert_eq!(taken.status(), 200, "{path}");
        assert_eq!(taken.headers()["ratelimit"], r#""ingest";r=1;t=3600"#, "{path}");
        assert_eq!(taken.headers()["ratelimit-policy"], r#""ingest";q=3;w=10800"#, "{path}");
        let refused = stage.send_to(path, body.to_string()).send().await.unwrap();
        let headers = refused.headers();
        assert_eq!((refused.status().as_u16(), &headers["retry-after"]), (put_off, &"3600".parse().unwrap()));
        assert_eq!(headers["ratelimit"], r#""ingest";r=0;t=3600"#, "{path}");
        assert_eq!(stage.messages_in_the_log().await, 1, "{path}: all of a request or nothing");
    }
}

/// Always the same one of a user.
fn uuid(user: &str) -> String {
    format!("6a13d76c-c7a5-4b40-a74b-0000{:08x}", user.bytes().fold(0_u32, |sum, b| sum * 256 + u32::from(b)))
}
