//! Events go when they are older than their project keeps them: from answers too, whatever was in memory.

use millrace_storage::retention;
use reqwest::header::CACHE_CONTROL;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::{Project, Stage};

async fn ask_at(url: &str, project: &Project, question: &Value) -> Value {
    let request = reqwest::Client::new().post(format!("{url}/api/v1/query")).json(question);
    let request = request.bearer_auth(project.key.reveal()).header(CACHE_CONTROL, "no-cache");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    response.json().await.unwrap()
}

/// The counts of the events stay, and with them whatever tells that a day has changed by its counts alone.
#[actix_web::test]
async fn expired_events_are_gone_from_a_memory_that_knew_them() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let at = |user, kind, day| did(user, kind, &format!("2026-11-{day:02}T12:00:00Z"));
    let visits = [1, 1, 2, 3].map(|day| at("ada", "visit", day).with(json!({"plan": "free"})));
    let others = [at("bob", "visit", 1), at("bob", "buy", 2), at("cy", "visit", 3), at("cy", "buy", 3)];
    tell(&mut stage.teller(), &project, &[visits.as_slice(), others.as_slice()].concat()).await;

    let funnel = json!({
        "kind": "funnel", "from": "2026-11-01", "to": "2026-11-03", "window": "2d",
        "steps": [{"event_type": "visit"}, {"event_type": "buy"}],
    });
    let breakdown = json!({
        "kind": "trends", "from": "2026-11-01", "to": "2026-11-03", "event_type": "visit", "measure": "users",
        "breakdown": "plan",
    });
    let reached = async |url: &str| {
        let steps = ask_at(url, &project, &funnel).await["data"].clone();
        let rows = ask_at(url, &project, &breakdown).await["data"].clone();
        let values: Vec<Value> = rows.as_array().unwrap().iter().map(|row| row["values"].clone()).collect();
        json!([steps[0]["users"], steps[1]["users"], values])
    };
    let everything = json!([3, 2, [[1, 1, 1], [1, 0, 1]]]);
    assert_eq!(reached(stage.url()).await, everything);

    let cutoff = "2026-11-02T00:00:00Z".parse().unwrap();
    let mut connection = stage.connection().await;
    retention::announce(&mut connection, project.id, cutoff).await.unwrap();
    // They are about to go, and still there.
    assert_eq!(reached(stage.url()).await, everything);
    let mut mark = retention::Mark::default();
    while let Some(next) =
        retention::delete_events(&mut connection, project.id, cutoff, &mark, 1).await.unwrap()
    {
        mark = next;
    }
    let cold = stage.replica().await;
    let what_is_left = json!([2, 1, [[0, 1, 1], [0, 0, 1]]]);
    assert_eq!(reached(&cold).await, what_is_left);
    assert_eq!(reached(stage.url()).await, what_is_left);
}
