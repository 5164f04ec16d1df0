//! The examples of docs/definitions.md that are not held elsewhere.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::chronicle::{Happened, did, tell};
use crate::stage::{Project, Stage, alike};

fn clock() -> DateTime<Utc> {
    "2026-11-05T12:00:00Z".parse().unwrap()
}

/// Ada, Bob and Cy, as the page has them.
pub(crate) fn little_history() -> Vec<Happened> {
    [
        ("ada", "2026-11-01"),
        ("bob", "2026-11-01"),
        ("ada", "2026-11-02"),
        ("cy", "2026-11-02"),
        ("ada", "2026-11-04"),
        ("ada", "2026-11-04"),
        ("bob", "2026-11-04"),
    ]
    .map(|(user, day)| did(user, "login", &format!("{day}T12:00:00Z")))
    .into()
}

async fn told(stage: &Stage, events: &[Happened]) -> Project {
    let project = stage.project("UTC").await;
    tell(&mut stage.teller(), &project, events).await;
    project
}

async fn ask(stage: &Stage, project: &Project, mut question: Value) -> Value {
    (question["from"], question["to"]) = ("2026-11-01".into(), "2026-11-04".into());
    stage.answer(project, &question).await.body
}

#[actix_web::test]
async fn lifecycle_and_stickiness_of_the_little_history() {
    let stage = Stage::at(clock).await;
    let project = told(&stage, &little_history()).await;
    let lifecycle = ask(&stage, &project, json!({"kind": "lifecycle"})).await;
    let point = |date, new, returning, resurrecting, dormant| {
        json!({
            "date": date, "new": new, "returning": returning, "resurrecting": resurrecting, "dormant": dormant,
            "complete": true,
        })
    };
    assert_eq!(
        lifecycle["data"],
        json!([
            point("2026-11-01", 2, 0, 0, 0),
            point("2026-11-02", 1, 1, 0, 1),
            point("2026-11-03", 0, 0, 0, 2),
            point("2026-11-04", 0, 0, 2, 0),
        ])
    );
    let stickiness = ask(&stage, &project, json!({"kind": "stickiness"})).await;
    let users: Vec<&Value> = stickiness["data"].as_array().unwrap().iter().map(|row| &row["users"]).collect();
    assert_eq!(users, [1, 1, 1, 0]);
}

#[actix_web::test]
async fn statistics_of_four_amounts() {
    let stage = Stage::at(clock).await;
    let amounts =
        [1, 2, 3, 10].map(|amount| did("ada", "buy", "2026-11-01T12:00:00Z").with(json!({"amount": amount})));
    let project = told(&stage, &amounts).await;
    let series = |measure| json!({"measure": measure, "property": "amount"});
    let question = json!({"kind": "trends", "series": [series("avg"), series("p50"), series("p95")]});
    let answer = ask(&stage, &project, question).await;
    let totals: Value = answer["data"].as_array().unwrap().iter().map(|row| row["total"].clone()).collect();
    assert!(alike(&totals, &json!([4, 2.5, 8.95])), "{totals}");
}

#[actix_web::test]
async fn a_path_and_what_belongs_to_none() {
    let stage = Stage::at(clock).await;
    let events = [("visit", 0), ("search", 1), ("visit", 2), ("buy", 3)]
        .map(|(kind, minute)| did("ada", kind, &format!("2026-11-01T12:{minute:02}:00Z")));
    let project = told(&stage, &events).await;
    let answer = ask(&stage, &project, json!({"kind": "paths", "start_event": "visit", "length": 3})).await;
    assert_eq!(answer["data"], json!([{"events": ["visit", "search", "visit"], "count": 1, "users": 1}]));
}

#[actix_web::test]
async fn two_sessions_of_four_events() {
    let stage = Stage::at(clock).await;
    let events = ["10:00", "10:20", "10:50", "11:21"]
        .map(|time| did("ada", "visit", &format!("2026-11-01T{time}:00Z")));
    let project = told(&stage, &events).await;
    let answer = ask(&stage, &project, json!({"kind": "sessions", "gap": "30m"})).await;
    assert_eq!(
        answer["total"],
        json!({
            "sessions": 2, "users": 1, "events": 4, "bounce_rate": 0.5, "mean_seconds": 1500.0, "median_seconds": 1500.0,
        })
    );
}

/// A funnel over days that are in memory sees what was stored since.
#[actix_web::test]
async fn a_funnel_from_memory_is_the_funnel() {
    let stage = Stage::at(clock).await;
    let at = |kind, time: &str| did("ada", kind, &format!("2026-11-01T{time}:00Z"));
    let project = told(&stage, &[at("visit", "10:00"), at("buy", "12:00")]).await;
    let funnel =
        json!({"kind": "funnel", "window": "1h", "steps": [{"event_type": "visit"}, {"event_type": "buy"}]});
    let users = async || {
        let answer = ask(&stage, &project, funnel.clone()).await;
        (answer["data"][0]["users"].clone(), answer["data"][1]["users"].clone())
    };
    assert_eq!(users().await, (json!(1), json!(0)));
    tell(&mut stage.teller(), &project, &[at("visit", "11:30")]).await;
    assert_eq!(users().await, (json!(1), json!(1)));
    // An event that is deleted is gone from its day, as jobs delete: with its count, in one transaction.
    let mut client = stage.database.client().await;
    let deletion = client.transaction().await.unwrap();
    deletion.execute("DELETE FROM events WHERE occurred_at = '2026-11-01T11:30:00Z'", &[]).await.unwrap();
    deletion.execute("DELETE FROM event_counts WHERE bucket = '2026-11-01T11:30:00Z'", &[]).await.unwrap();
    deletion.commit().await.unwrap();
    let insisting = stage.query(&project, &{
        let mut funnel = funnel.clone();
        (funnel["from"], funnel["to"]) = ("2026-11-01".into(), "2026-11-04".into());
        funnel
    });
    let answer: Value =
        insisting.header("Cache-Control", "no-cache").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"][1]["users"], 0);
}
