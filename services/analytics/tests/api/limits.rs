use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use crate::chronicle::{Happened, did, tell};
use crate::stage::{Stage, header, problem};

#[actix_web::test]
async fn a_question_that_would_read_too_many_events_is_refused_before_it_reads_one() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let often = |kind: &'static str, times| (0..times).map(move |_| did("ada", kind, "2026-11-01T12:00:00Z"));
    let events: Vec<Happened> = often("visit", 990).chain(often("buy", 20)).collect();
    tell(&mut stage.teller(), &project, &events).await;
    let funnel = |order: &str, steps: &[&str]| {
        let steps: Vec<Value> = steps.iter().map(|kind| json!({"event_type": kind})).collect();
        json!({"kind": "funnel", "from": "2026-11-01", "to": "2026-11-01", "order": order, "steps": steps})
    };
    for refused in [funnel("ordered", &["visit", "buy"]), funnel("strict", &["buy"])] {
        let (status, refused) = problem(stage.query(&project, &refused)).await;
        assert_eq!((status, &refused["errors"][0]["code"]), (422, &json!("too_many_events")));
        assert!(refused["detail"].as_str().unwrap().contains("1010 events"), "{refused}");
    }
    stage.answer(&project, &funnel("ordered", &["visit", "visit"])).await;
}

#[actix_web::test]
async fn a_project_that_asks_a_lot_at_once_is_told_to_wait_and_others_are_answered() {
    let stage = Stage::set().await;
    let (eager, other) = (stage.project("UTC").await, stage.project("UTC").await);
    let mut keeper = stage.database.client().await;
    let locked = keeper.transaction().await.unwrap();
    locked.execute("LOCK TABLE activity IN ACCESS EXCLUSIVE MODE", &[]).await.unwrap();
    let question = |day: usize| {
        let date = format!("2026-11-{:02}", day + 1);
        json!({"kind": "active_users", "from": date, "to": date})
    };
    let mut asking: FuturesUnordered<_> =
        (0..9).map(|day| stage.query(&eager, &question(day)).send()).collect();
    let counting = json!({"kind": "trends", "from": "2026-11-01", "to": "2026-11-01"});
    stage.answer(&other, &counting).await;
    // Six are being worked on, until the table can be read again.
    for _ in 0..3 {
        let refused = asking.next().await.unwrap().unwrap();
        assert_eq!(refused.status(), 429);
        assert!(header(&refused, "ratelimit-policy").contains("queries"));
        assert!(!header(&refused, "retry-after").is_empty());
    }
    locked.rollback().await.unwrap();
    while let Some(answer) = asking.next().await {
        assert_eq!(answer.unwrap().status(), 200);
    }
}
