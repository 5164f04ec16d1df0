use chrono::Utc;
use millrace_domain::access::Role;
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::streams::{self, StreamLimits};
use millrace_messaging::subjects;
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::stage::{Person, Stage, answer};

const LIMITS: StreamLimits = StreamLimits { events_bytes: 8 << 20, dead_letters_bytes: 8 << 20, replicas: 1 };

/// A letter as a worker puts it away, with a payload that is no batch.
async fn put_away(broker: &Broker, project: ProjectId, reason: &str) {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subjects::REASON_HEADER, reason);
    headers.insert(subjects::SUBJECT_HEADER, subjects::events(project).as_str());
    headers.insert(subjects::LAST_FAILURE_HEADER, Utc::now().to_rfc3339().as_str());
    let jetstream = async_nats::jetstream::new(broker.client().clone());
    let sent =
        jetstream.publish_with_headers(subjects::dead_letters(project), headers, "poison".into()).await;
    sent.unwrap().await.unwrap();
}

async fn ids(stage: &Stage, person: &Person, query: &str) -> Vec<u64> {
    let (status, said) = stage.get(&format!("/api/v1/dead-letters?{query}"), person).await;
    assert_eq!(status, 200, "{said}");
    said["data"].as_array().unwrap().iter().map(|letter| letter["id"].as_u64().unwrap()).collect()
}

#[actix_web::test]
async fn owners_look_after_the_dead_letters_of_their_project_and_nobody_elses() {
    let stage = Stage::set().await;
    let broker = stage.broker().await;
    streams::ensure(&broker, LIMITS).await.unwrap();
    let worker = CancellationToken::new();
    let serving = tokio::spawn(millrace_worker::orders::serve(broker.clone(), worker.clone()));
    let (ada, bob, system) =
        (stage.person("ada").await, stage.person("bob").await, stage.system_admin("root").await);
    let mine = stage.project_of(&ada, Role::Owner).await;
    let theirs = stage.project_of(&bob, Role::Viewer).await;
    for reason in ["refused", "invalid", "refused", "refused"] {
        put_away(&broker, mine, reason).await;
    }
    put_away(&broker, theirs, "refused").await;

    // Pages, filters, and whose they are.
    let of_mine = format!("project_id={mine}");
    assert_eq!(ids(&stage, &ada, &of_mine).await, [1, 2, 3, 4]);
    assert_eq!(ids(&stage, &ada, &format!("{of_mine}&reason=invalid")).await, [2]);
    assert_eq!(ids(&stage, &ada, &format!("{of_mine}&event_type=login")).await, [0_u64; 0]);
    assert_eq!(ids(&stage, &ada, &format!("{of_mine}&to=2020-01-01T00:00:00Z")).await, [0_u64; 0]);
    assert_eq!(ids(&stage, &ada, &format!("{of_mine}&from=2020-01-01T00:00:00Z")).await, [1, 2, 3, 4]);
    assert_eq!(ids(&stage, &system, "").await, [1, 2, 3, 4, 5]);
    let (_, first) = stage.get(&format!("/api/v1/dead-letters?{of_mine}&limit=3"), &ada).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&stage, &ada, &format!("{of_mine}&limit=3&cursor={cursor}")).await, [4]);
    let (status, letter) = stage.get("/api/v1/dead-letters/2", &ada).await;
    assert_eq!((status, &letter["reason"], &letter["payload"]), (200, &json!("invalid"), &json!("cG9pc29u")));
    assert_eq!(stage.get("/api/v1/dead-letters/5", &ada).await.0, 404);
    assert_eq!(stage.get("/api/v1/dead-letters/1", &bob).await.0, 404);
    assert_eq!(stage.get("/api/v1/dead-letters/5", &bob).await.0, 403, "a viewer of the project");
    assert_eq!(stage.get("/api/v1/dead-letters/99", &system).await.0, 404);

    // Replayed, they are in the log and lie here no more.
    let (status, said) = stage.post("/api/v1/dead-letters/1/replay", &ada, Value::Null).await;
    assert_eq!((status, said), (200, json!({"replayed": 1, "complete": true})));
    let replay = "/api/v1/dead-letters/replay";
    let (status, said) = stage.post(replay, &ada, json!({"project_id": mine, "ids": [3, 5]})).await;
    assert_eq!((status, &said["replayed"]), (200, &json!(1)), "the other is not hers: {said}");
    assert_eq!(stage.post(replay, &ada, json!({"ids": [3]})).await.0, 403);
    assert_eq!(stage.post(replay, &system, json!({"ids": [3], "reason": "refused"})).await.0, 422);
    let (_, said) = stage.post(replay, &ada, json!({"project_id": mine, "reason": "refused"})).await;
    assert_eq!(said, json!({"replayed": 1, "complete": true}));
    let jetstream = async_nats::jetstream::new(broker.client().clone());
    let log = jetstream.get_stream(subjects::EVENTS_STREAM).await.unwrap();
    assert_eq!(log.cached_info().state.messages, 3);
    let back = log.get_raw_message(1).await.unwrap();
    assert_eq!(back.headers.get(subjects::REPLAYS_HEADER).unwrap().as_str(), "1");

    // And dropped.
    assert_eq!(stage.delete("/api/v1/dead-letters/2", &ada).await, 204);
    assert_eq!(stage.delete("/api/v1/dead-letters/5", &ada).await, 404);
    let all = stage.to(Method::DELETE, "/api/v1/dead-letters?reason=refused").bearer_auth(&system.access);
    assert_eq!(answer(all).await, (200, json!({"dropped": 1, "complete": true})));
    assert_eq!(ids(&stage, &system, "").await, [0_u64; 0]);

    let path = format!("/api/v1/audit?project_id={mine}&action=dead_letters.");
    let log = wait::until_some("everything is in the audit log", async || {
        let (_, log) = stage.get(&path, &ada).await;
        (log["data"].as_array().unwrap().len() == 4).then_some(log)
    })
    .await;
    let told: Vec<(&str, u64)> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["details"]["dead_letters"].as_u64().unwrap()))
        .collect();
    let (replayed, dropped) = (("dead_letters.replayed", 1), ("dead_letters.dropped", 1));
    assert_eq!(told, [dropped, replayed, replayed, replayed]);

    // Without a worker nothing is done, and nobody is told that it was.
    worker.cancel();
    serving.await.unwrap().unwrap();
    put_away(&broker, mine, "refused").await;
    assert_eq!(stage.post("/api/v1/dead-letters/6/replay", &ada, Value::Null).await.0, 503);
    assert_eq!(ids(&stage, &ada, &of_mine).await, [6]);
}
