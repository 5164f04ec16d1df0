//! What is shown of accepted events to whoever listens on the broker.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::subjects;
use millrace_testkit::story::did;
use millrace_testkit::wait::DEADLINE;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::stage::Stage;

const NOON: &str = "2026-11-01T12:00:00Z";

async fn broker(stage: &Stage) -> Broker {
    Broker::connect(stage.nats.url(), "test", Duration::from_secs(2)).await.unwrap()
}

/// Sends events of these users until one is shown: the broker may just have said that nobody listens.
async fn until_shown(stage: &Stage, shown: &mut (impl StreamExt<Item = Value> + Unpin)) -> Value {
    let send = async {
        loop {
            stage.send(json!([did("first", "seen", NOON).json()]).to_string()).send().await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        message = timeout(DEADLINE, shown.next()) => message.unwrap().unwrap(),
        () = send => unreachable!("it does not end"),
    }
}

#[actix_web::test]
async fn what_is_accepted_is_shown_and_what_is_not_is_not() {
    let stage = Stage::set().await;
    let broker = broker(&stage).await;
    let listen = async |project: ProjectId| {
        let messages = broker.client().subscribe(subjects::live(project)).await.unwrap();
        broker.client().flush().await.unwrap();
        messages.map(|message| serde_json::from_slice::<Value>(&message.payload).unwrap())
    };
    let mut elsewhere = listen(ProjectId::new()).await;
    let mut shown = listen(stage.shop).await;
    let message = until_shown(&stage, &mut shown).await;
    assert_eq!(message["events"][0]["user_id"], "first");

    let sound = did("ada", "paid", NOON).with("properties", json!({"price": 1.5})).with("session_id", "s");
    let batch = json!([sound.json(), did("bob", "", NOON).json(), sound.json()]);
    for _ in 0..2 {
        assert_eq!(stage.send(batch.to_string()).send().await.unwrap().status(), 202);
    }
    stage.send(json!([did("last", "seen", NOON).json()]).to_string()).send().await.unwrap();
    let (mut events, mut accepted) = (Vec::new(), 0);
    while events.last().is_none_or(|event: &Value| event["user_id"] != "last") {
        let message = timeout(DEADLINE, shown.next()).await.unwrap().unwrap();
        accepted += message["accepted"].as_u64().unwrap();
        events.extend(message["events"].as_array().unwrap().iter().cloned());
    }
    events.retain(|event| event["user_id"] != "first");
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(accepted >= 2);
    let mut expected = sound.json();
    expected["received_at"] = events[0]["received_at"].clone();
    assert_eq!(events[0], expected);
    assert!(timeout(Duration::ZERO, elsewhere.next()).await.is_err(), "nothing of another project's");
}

#[actix_web::test]
async fn under_load_a_part_is_shown_and_it_says_which() {
    let stage = Stage::set().await;
    let broker = broker(&stage).await;
    let messages = broker.client().subscribe(subjects::live(stage.shop)).await.unwrap();
    broker.client().flush().await.unwrap();
    let mut shown = messages.map(|message| serde_json::from_slice::<Value>(&message.payload).unwrap());
    until_shown(&stage, &mut shown).await;
    let batch: Vec<Value> = (0..3_000).map(|n| did(&format!("u{n}"), "seen", NOON).json()).collect();
    assert_eq!(stage.send(json!(batch).to_string()).send().await.unwrap().status(), 202);
    let message = loop {
        let message = timeout(DEADLINE, shown.next()).await.unwrap().unwrap();
        if message["accepted"].as_u64().unwrap() >= 3_000 {
            break message;
        }
    };
    let events = message["events"].as_array().unwrap();
    assert!(!events.is_empty() && events.len() <= 500, "{}", events.len());
    let rate = message["sample_rate"].as_f64().unwrap();
    let shown = f64::from(u32::try_from(events.len()).unwrap());
    assert!((rate - shown / message["accepted"].as_f64().unwrap()).abs() < 1e-9);
    let users: BTreeSet<&str> = events.iter().map(|event| event["user_id"].as_str().unwrap()).collect();
    assert_eq!(users.len(), events.len());
}
