use serde_json::{Value, json};

use crate::chronicle::{Happened, did, tell};
use crate::stage::{Stage, problem};

#[actix_web::test]
async fn users_are_listed_and_what_they_did_page_by_page() {
    let stage = Stage::set().await;
    let (project, other) = (stage.project("UTC").await, stage.project("UTC").await);
    let at = |minute: u32| format!("2026-11-01T12:{minute:02}:00Z");
    let mut events: Vec<Happened> = (0..5).map(|minute| did("ada", "visit", &at(minute))).collect();
    // Two at one time, and a name that needs to be written with care.
    events.push(did("ada", "buy", &at(4)).with(json!({"amount": 5})).within("s1"));
    events.push(did("Ada B. %2F ü", "visit", &at(7)));
    tell(&mut stage.teller(), &project, &events).await;
    tell(&mut stage.teller(), &other, &[did("stranger", "visit", &at(0))]).await;

    let page = stage.ask(&project, "/api/v1/users?limit=1").await.body;
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = stage.ask(&project, &format!("/api/v1/users?limit=1&cursor={cursor}")).await.body;
    let mut names: Vec<&Value> = vec![&page["data"][0]["user_id"], &rest["data"][0]["user_id"]];
    names.sort_by_key(|name| name.to_string());
    assert_eq!((names, &rest["next_cursor"]), (vec![&json!("Ada B. %2F ü"), &json!("ada")], &Value::Null));

    let ada = stage.ask(&project, "/api/v1/users/ada").await.body;
    assert_eq!(
        ada,
        json!({
            "user_id": "ada", "first_seen": "2026-11-01T12:00:00Z", "last_seen": "2026-11-01T12:04:00Z", "traits": {},
            "events": 6,
            "event_types": [{"event_type": "visit", "count": 5}, {"event_type": "buy", "count": 1}],
        })
    );
    let careful = stage.ask(&project, "/api/v1/users/Ada%20B.%20%252F%20%C3%BC").await.body;
    assert_eq!(careful["events"], 1);

    let mut path = "/api/v1/users/ada/events?limit=2".to_owned();
    let mut told: Vec<Value> = Vec::new();
    loop {
        let page = stage.ask(&project, &path).await.body;
        told.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/users/ada/events?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    let mut expected: Vec<&Happened> = events.iter().filter(|event| event.user == "ada").collect();
    expected.sort_by_key(|event| std::cmp::Reverse((event.at, event.id)));
    let ids: Vec<String> = told.iter().map(|event| event["event_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, expected.iter().map(|event| event.id.to_string()).collect::<Vec<_>>());
    let bought = told.iter().find(|event| event["event_type"] == "buy").unwrap();
    assert_eq!((&bought["properties"], &bought["session_id"]), (&json!({"amount": 5}), &json!("s1")));

    for nobody in ["stranger", "stranger/events", "ADA", "%00"] {
        let request = stage.request(&format!("/api/v1/users/{nobody}"), &project.key);
        assert_eq!(problem(request).await.0, 404, "{nobody}");
    }
}

#[actix_web::test]
async fn a_late_event_joins_the_sessions_that_it_comes_between() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let visit = |time: &str| did("ada", "visit", &format!("2026-11-01T{time}:00Z"));
    let mut teller = stage.teller();
    let events = [
        visit("09:00"),
        visit("10:00"),
        visit("10:20"),
        visit("10:40").within("s1"),
        visit("11:00"),
        visit("11:30"),
        did("bob", "visit", "2026-11-01T10:40:00Z"),
    ];
    tell(&mut teller, &project, &events).await;
    let sessions = async || {
        let mut told = Vec::new();
        let mut path = "/api/v1/users/ada/events?limit=2".to_owned();
        loop {
            let page = stage.ask(&project, &path).await.body;
            for event in page["data"].as_array().unwrap() {
                told.push(event["session_id"].as_str().unwrap().replace(":00.000000Z", ""));
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/v1/users/ada/events?limit=2&cursor={cursor}"),
                None => return told,
            }
        }
    };
    let [nine, ten, eleven] = [9, 10, 11].map(|hour| format!("ada@2026-11-01T{hour:02}:00"));
    assert_eq!(sessions().await, [&*eleven, &eleven, "s1", &ten, &ten, &nine]);

    tell(&mut teller, &project, &[visit("10:31")]).await;
    assert_eq!(sessions().await, [&*ten, &ten, "s1", &ten, &ten, &ten, &nine]);
    let counted = stage.ask(&project, "/api/v1/users/ada").await.body;
    assert_eq!(counted["events"], 7);
}

#[actix_web::test]
async fn properties_are_listed_with_their_values() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let visit = |properties: Value| did("ada", "visit", "2026-11-01T12:00:00Z").with(properties);
    let events = [
        visit(json!({"plan": "pro", "n": 1})),
        visit(json!({"plan": "pro", "n": "1", "list": [1]})),
        visit(json!({"plan": null, "n": 2.5})),
        did("ada", "buy", "2026-11-01T12:00:00Z").with(json!({"amount": 5})),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let of_visits = stage.ask(&project, "/api/v1/properties?event_type=visit").await.body;
    assert_eq!(
        of_visits,
        json!({"events": 3, "data": [
            {"property": "list", "events": 1, "types": {"array": 1}, "values": []},
            {"property": "n", "events": 3, "types": {"number": 2, "string": 1}, "values": [
                {"value": "1", "events": 1}, {"value": "1", "events": 1}, {"value": "2.5", "events": 1},
            ]},
            {"property": "plan", "events": 3, "types": {"null": 1, "string": 2}, "values": [{"value": "pro", "events": 2}]},
        ]})
    );
    let of_all = stage.ask(&project, "/api/v1/properties").await.body;
    assert_eq!((&of_all["events"], &of_all["data"][0]["property"]), (&json!(4), &json!("amount")));
}
