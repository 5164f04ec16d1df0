use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::stage::{Stage, answer};

fn batch(user: &str) -> String {
    let events: Vec<Value> = (0..50).map(|_| did(user, "login", "2026-11-01T12:00:00Z").json()).collect();
    json!(events).to_string()
}

#[actix_web::test]
async fn with_the_log_away_the_sender_is_told_to_try_again_and_the_retry_is_stored_once() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    let body = batch("ada");
    stage.nats_wire.cut();
    let response = stage.send(body.clone()).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "unavailable");
    assert_eq!(stage.get("/health/ready").await.status(), 503);
    assert_eq!(stage.get("/health/live").await.status(), 200);

    stage.nats_wire.mend();
    wait::until("the retry is accepted", async || {
        stage.send(body.clone()).send().await.unwrap().status() == 202
    })
    .await;
    let (_, verdicts) = answer(stage.send_to("/api/v1/events?wait=stored", body)).await;
    assert_eq!((&verdicts["accepted"], &verdicts["duplicates"]), (&json!(0), &json!(50)));
    assert_eq!(stage.stored().await, 50);
}

#[actix_web::test]
async fn a_full_log_refuses_what_is_too_much_and_everything_accepted_is_stored() {
    let stage = Box::pin(Stage::with_a_log_of(1 << 20)).await;
    let body = |n: i64| {
        let event = || {
            did("ada", "login", "2026-11-01T12:00:00Z")
                .with("properties", json!({"n": n, "text": "x".repeat(2_000)}))
        };
        json!((0..50).map(|_| event().json()).collect::<Vec<Value>>()).to_string()
    };
    let mut accepted = 0;
    let refused = loop {
        let sent = body(accepted);
        let response = stage.send(sent.clone()).send().await.unwrap();
        if response.status() != 202 {
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key("retry-after"));
            break sent;
        }
        accepted += 50;
        assert!(accepted < 1_000, "a log of a megabyte takes less than two");
    };
    // Without a worker there is no room a moment later either.
    assert_eq!(stage.send(refused.clone()).send().await.unwrap().status(), 503);
    assert_eq!(stage.messages_in_the_log().await, u64::try_from(accepted / 50).unwrap());

    let _worker = stage.hire_a_worker().await;
    wait::until("the lag is back at zero", async || stage.messages_in_the_log().await == 0).await;
    assert_eq!(stage.stored().await, accepted);
    wait::until("the sender's next try is accepted", async || {
        stage.send(refused.clone()).send().await.unwrap().status() == 202
    })
    .await;
    wait::until("it is stored", async || stage.stored().await == accepted + 50).await;
}

#[actix_web::test]
async fn a_wire_cut_in_the_middle_of_publishing_stores_nothing_twice() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    let bodies: Vec<String> = (0..20).map(|n| batch(&format!("user-{n}"))).collect();
    for (body, bytes) in bodies.iter().zip((0..).step_by(400)) {
        stage.nats_wire.cut_after(bytes);
        wait::until("the batch is accepted", async || {
            stage.send(body.clone()).send().await.unwrap().status() == 202
        })
        .await;
    }
    wait::until("everything is stored", async || stage.stored().await == 1_000).await;
}

#[actix_web::test]
async fn with_redis_away_events_are_accepted_and_the_database_recognises_the_repetition() {
    let stage = Stage::set().await;
    let _worker = stage.hire_a_worker().await;
    stage.redis_wire.cut();
    let body = batch("ada");
    for _ in 0..2 {
        let (status, verdicts) = answer(stage.send(body.clone())).await;
        assert_eq!((status, &verdicts["accepted"]), (202, &json!(50)));
    }
    let health: Value = stage.get("/health").await.json().await.unwrap();
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(stage.get("/health/ready").await.status(), 200);
    wait::until("the events are stored", async || stage.stored().await > 0).await;
    let (_, verdicts) = answer(stage.send_to("/api/v1/events?wait=stored", body)).await;
    assert_eq!(verdicts["duplicates"], 50);
    assert_eq!(stage.stored().await, 50);
}
