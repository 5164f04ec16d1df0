//! Services that publish to the log themselves, as `docs/nats.md` shows them how: the examples, run.

use millrace_testkit::{peers, story, wait};
use serde_json::json;

use crate::bench_of_work::{Bench, Hired};
use crate::dead_letters::dead_letters;

#[expect(dead_code, reason = "it has a `main` of its own")]
#[path = "../../../../crates/messaging/examples/producer.rs"]
mod producer;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_example_in_rust_publishes_is_stored() {
    let bench = Bench::new().await;
    let worker = Hired::with(bench.config()).await;
    producer::publish_one(bench.nats.url(), &bench.shop.to_string(), "ada", "order_shipped").await.unwrap();
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    let row = bench.database.client().await;
    let row = row.query_one("SELECT event_type, user_id FROM events", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("order_shipped", "ada"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_example_in_python_publishes_is_held_to_the_rules_and_stored_once() {
    let bench = Bench::new().await;
    let worker = Hired::with(bench.config()).await;
    let sound = story::did("ada", "order_shipped", "2026-11-01T12:00:00.000250+01:00")
        .with("properties", json!({"parcel": "ü"}));
    let nameless = story::did("bob", "", "2026-11-01T12:00:00Z");
    let asked = json!({
        "nats_url": bench.nats.url(), "project_id": bench.shop, "events": [sound.json(), nameless.json()],
    });
    let first: u64 = peers::run(PYTHON, &asked.to_string()).await.trim().parse().unwrap();
    let again: u64 = peers::run(PYTHON, &asked.to_string()).await.trim().parse().unwrap();
    assert!(again > first, "the broker has taken both");
    wait::until("both are settled", async || dead_letters(&bench).await.len() == 2).await;
    bench.until_the_log_is_empty().await;
    worker.dismiss().await;
    let client = bench.database.client().await;
    let query = "SELECT occurred_at = '2026-11-01T11:00:00.000250Z', properties->>'parcel' FROM events";
    let row = client.query_one(query, &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (true, "ü"));
    let letters = dead_letters(&bench).await;
    assert!(
        letters.iter().all(|letter| letter.reason == "invalid" && letter.detail.starts_with("event_type ")),
        "{letters:?}"
    );
}

const PYTHON: &str = "../../docs/examples/producer.py";
