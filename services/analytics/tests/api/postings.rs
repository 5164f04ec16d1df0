//! Funnels find who did what when in memory, as it is stored, or in the events, and every way gives the same answer.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::chronicle::{Happened, chance, invent, tell_in_disorder};
use crate::definition::order;
use crate::stage::{Project, Stage, alike};

/// Where postings were found.
#[derive(Debug, PartialEq, Eq)]
struct Ways {
    stored: bool,
    events: bool,
}

const IN_MEMORY: Ways = Ways { stored: false, events: false };
const STORED: Ways = Ways { stored: true, events: false };

/// Asks an analytics for every order of steps that postings can tell, and expects what the history says.
async fn asked(url: &str, project: &Project, history: &[Happened]) -> Vec<Ways> {
    let instants: (DateTime<Utc>, DateTime<Utc>) =
        ("2025-01-18T00:00:00Z".parse().unwrap(), "2025-05-03T00:00:00Z".parse().unwrap());
    let mut ways = Vec::new();
    for (order, exclude) in
        [("ordered", Value::Null), ("loose", Value::Null), ("ordered", json!([{"event_type": "signup"}]))]
    {
        let question = json!({
            "kind": "funnel", "from": "2025-01-18", "to": "2025-05-02", "timezone": "UTC", "order": order, "window": "3w",
            "steps": [{"event_type": "visit"}, {"event_type": "visit"}, {"event_type": "buy"}], "exclude": exclude,
            "explain": true,
        });
        let request = reqwest::Client::new().post(format!("{url}/api/v1/query")).json(&question);
        let response = request.bearer_auth(project.key.reveal()).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let answer: Value = response.json().await.unwrap();
        let (expected, _) = order::funnel(history, instants, &question, TimeDelta::weeks(3));
        assert!(alike(&answer["data"], &expected), "{question}\n{}\nnot: {expected}", answer["data"]);
        let parts = answer["explain"]["parts"].as_array().unwrap();
        let read = |what: &str| parts.iter().any(|part| part["what"] == what);
        ways.push(Ways { stored: read("stored postings"), events: read("the users and times of events") });
    }
    ways
}

#[actix_web::test]
async fn funnels_say_the_same_from_memory_as_it_is_stored_and_from_the_events() {
    let mut random = chance();
    let stage = Stage::set().await;
    let (project, neighbour) = (stage.project("UTC").await, stage.project("UTC").await);
    let history = invent(&mut random, 500);
    let early = &history[..300];
    tell_in_disorder(&stage, &neighbour, &invent(&mut random, 100), &mut random).await;
    tell_in_disorder(&stage, &project, early, &mut random).await;

    // Nothing is stored.
    let ways = asked(stage.url(), &project, early).await;
    assert!(ways[0].events, "{ways:?}");
    assert_eq!(asked(stage.url(), &project, early).await, [IN_MEMORY, IN_MEMORY, IN_MEMORY]);

    stage.store_postings().await;
    let ways = asked(&stage.replica().await, &project, early).await;
    assert_eq!(ways[0], STORED);

    // Late events: of their days nothing is stored, and whatever is, and was kept, is old.
    tell_in_disorder(&stage, &project, &history, &mut random).await;
    let ways = asked(&stage.replica().await, &project, &history).await;
    assert_eq!(ways[0], Ways { stored: true, events: true });
    asked(stage.url(), &project, &history).await;

    stage.store_postings().await;
    let replica = stage.replica().await;
    assert_eq!(asked(&replica, &project, &history).await[0], STORED);
    assert_eq!(asked(&replica, &project, &history).await, [IN_MEMORY, IN_MEMORY, IN_MEMORY]);
}
