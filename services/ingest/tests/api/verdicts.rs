use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::json;

use crate::stage::{Stage, answer};

#[actix_web::test]
async fn every_event_gets_a_verdict() {
    let stage = Stage::set().await;
    let good = did("ada", "login", "2026-11-01T12:00:00Z").json();
    let bad = did("ada", "login", "tomorrow").json();
    let body =
        json!([good, bad, good, {"event_type": "x"}, 7, did("bob", "login", "2026-11-01T12:00:00Z").json()]);
    let (status, verdicts) = answer(stage.send(body.to_string()).header("X-Request-Id", "checkout-7")).await;
    assert_eq!(status, 202);
    assert_eq!(
        (&verdicts["accepted"], &verdicts["duplicates"], &verdicts["rejected"]),
        (&json!(2), &json!(1), &json!(3))
    );
    assert_eq!(verdicts["request_id"], "checkout-7");
    let errors = verdicts["errors"].as_array().unwrap();
    let codes: Vec<_> =
        errors.iter().map(|e| (e["index"].as_u64().unwrap(), e["code"].as_str().unwrap())).collect();
    assert_eq!(codes, [(1, "invalid_occurred_at"), (3, "missing_user_id"), (4, "not_an_object")]);
    assert_eq!(errors[0]["event_id"], bad["event_id"]);
    assert_eq!(errors[0]["field"], "occurred_at");
}

#[actix_web::test]
async fn broken_lines_cost_only_themselves() {
    let stage = Stage::set().await;
    let good = did("ada", "login", "2026-11-01T12:00:00Z").json();
    let mut body = format!("{good}\n{{\"event_type\":\n").into_bytes();
    body.extend(b"\xff\xff\n");
    let (status, verdicts) = answer(stage.send(body).header("Content-Type", "application/x-ndjson")).await;
    assert_eq!((status, &verdicts["accepted"], &verdicts["rejected"]), (202, &json!(1), &json!(2)));
    assert_eq!(verdicts["errors"][0]["code"], "malformed_json");
    assert_eq!(verdicts["errors"][1]["code"], "invalid_utf8");
}

#[actix_web::test]
async fn what_was_accepted_before_is_a_duplicate() {
    let stage = Stage::set().await;
    let body = json!([did("ada", "login", "2026-11-01T12:00:00Z").json()]).to_string();
    let (_, first) = answer(stage.send(body.clone())).await;
    let (status, again) = answer(stage.send(body)).await;
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(1), &json!(0)));
    assert_eq!((status, &again["accepted"], &again["duplicates"]), (202, &json!(0), &json!(1)));
}

#[actix_web::test]
async fn all_refused_is_422_with_the_same_body() {
    let stage = Stage::set().await;
    let (status, verdicts) = answer(stage.send(r#"[{"user_id":"ada"},{"event_type":"x"}]"#)).await;
    assert_eq!((status, &verdicts["accepted"], &verdicts["rejected"]), (422, &json!(0), &json!(2)));
    assert_eq!(verdicts["errors"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_strict_request_is_stored_whole_or_not_at_all() {
    let stage = Stage::set().await;
    let worker = stage.hire_a_worker().await;
    let good = did("ada", "login", "2026-11-01T12:00:00Z").json();
    let body = json!([good, {"event_type": "x"}]).to_string();
    let (status, verdicts) = answer(stage.send_to("/api/v1/events?strict=true", body)).await;
    assert_eq!((status, &verdicts["accepted"], &verdicts["rejected"]), (422, &json!(0), &json!(2)));
    assert_eq!(verdicts["errors"][0]["index"], 1);

    // The good one was not remembered either: sent alone it is new.
    let (status, verdicts) =
        answer(stage.send_to("/api/v1/events?strict=true&wait=stored", json!([good]).to_string())).await;
    assert_eq!((status, &verdicts["accepted"]), (200, &json!(1)));
    assert_eq!(stage.stored().await, 1);
    drop(worker);
}

#[actix_web::test]
async fn a_sender_that_waits_gets_200_when_its_events_are_stored() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    let events: Vec<_> =
        (0..20).map(|n| did(&format!("u{n}"), "login", "2026-11-01T12:00:00Z").json()).collect();
    let body = json!(events).to_string();
    let (status, verdicts) = answer(stage.send_to("/api/v1/events?wait=stored", body.clone())).await;
    assert_eq!((status, &verdicts["accepted"], stage.stored().await), (200, &json!(20), 20));
    let (status, verdicts) = answer(stage.send_to("/api/v1/events?wait=stored", body)).await;
    assert_eq!((status, &verdicts["accepted"], &verdicts["duplicates"]), (200, &json!(0), &json!(20)));
}

#[actix_web::test]
async fn ids_that_the_server_makes_are_told() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    let body = json!([{"event_type": "login", "user_id": "ada"}, did("bob", "login", "2026-11-01T12:00:00Z").json()]);
    let (_, verdicts) = answer(stage.send_to("/api/v1/events?wait=stored", body.to_string())).await;
    let ids = verdicts["event_ids"].as_array().unwrap();
    assert_eq!(ids.len(), 1);
    let row = stage
        .database
        .client()
        .await
        .query_one("SELECT event_id::text FROM events WHERE user_id = 'ada'", &[])
        .await
        .unwrap();
    assert_eq!(ids[0].as_str().unwrap(), row.get::<_, String>(0));
}

#[actix_web::test]
async fn a_retry_of_an_event_without_a_time_is_the_same_event() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    let event =
        json!({"event_id": "6a13d76c-c7a5-4b40-a74b-09f4c6f3eb56", "event_type": "login", "user_id": "ada"});
    for _ in 0..3 {
        let (status, _) = answer(stage.send_to("/api/v1/events?wait=stored", event.to_string())).await;
        assert_eq!(status, 200);
    }
    assert_eq!(stage.stored().await, 1);
}

#[actix_web::test]
async fn a_misspelt_option_is_refused_by_name() {
    let stage = Stage::set().await;
    let (status, problem) = answer(stage.send_to("/api/v1/events?strickt=true", "[]")).await;
    assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("strickt")));
}

#[actix_web::test]
async fn received_events_are_counted_and_the_service_is_ready() {
    let stage = Stage::set().await;
    wait::until("ingest is ready", async || stage.get("/health/ready").await.status() == 200).await;
    let health: serde_json::Value = stage.get("/health").await.json().await.unwrap();
    assert_eq!(health["status"], "ok");
    assert_eq!(stage.get("/metrics").await.status(), 200);
    assert_eq!(stage.get("/health/live").await.status(), 200);
}
