//! The little history of docs/definitions.md, and a funnel from memory.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::chronicle::{Happened, did, tell};
use crate::stage::{Project, Stage};

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

/// Whatever is stored, the sessions are those of the events as they are now.
#[actix_web::test]
async fn an_event_that_comes_late_joins_the_sessions_around_it() {
    let stage = Stage::at(clock).await;
    let at = |time: &str| did("ada", "visit", &format!("2026-11-01T{time}:00Z"));
    let project = told(&stage, &[at("23:00"), at("23:20"), at("23:55")]).await;
    let sessions = async || {
        let answer = ask(&stage, &project, json!({"kind": "sessions", "gap": "30m"})).await;
        let total = &answer["total"];
        (total["sessions"].clone(), total["mean_seconds"].clone(), answer["data"][0]["sessions"].clone())
    };
    assert_eq!(sessions().await, (json!(2), json!(600.0), json!(2)));
    tell(&mut stage.teller(), &project, &[at("23:40")]).await;
    assert_eq!(sessions().await, (json!(1), json!(3300.0), json!(1)));
    // It goes on after midnight, and is a session of the day on which it began.
    let after_midnight = did("ada", "visit", "2026-11-02T00:10:00Z");
    tell(&mut stage.teller(), &project, &[after_midnight]).await;
    assert_eq!(sessions().await, (json!(1), json!(4200.0), json!(1)));
}
