use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::definition;
use crate::questions::Told;
use crate::stage::{Stage, header};

/// Every trend over a history equals its definition.
pub(crate) async fn every_question(told: &Told<'_>, held: &str) {
    let filter = json!({"or": [
        {"property": "plan", "op": "contains", "value": "r"},
        {"and": [
            {"field": "user_id", "op": "lt", "value": "user-2"},
            {"field": "time", "op": "gte", "value": "2025-02-25T18:30:00+05:30"},
        ]},
    ]});
    let breakdown = json!({"property": "plan", "limit": 2});
    for interval in ["hour", "day", "week", "month"] {
        for (kind, filter, breakdown) in [
            (None, &Value::Null, &Value::Null),
            (Some("visit"), &Value::Null, &Value::Null),
            (Some("visit"), &filter, &Value::Null),
            (None, &Value::Null, &breakdown),
            (Some("visit"), &Value::Null, &breakdown),
            (Some("visit"), &filter, &breakdown),
        ] {
            // Hours are many, and their edges are asked about once.
            let measures: &[&str] = match interval {
                "hour" => &["count", "users"],
                "day" => &["count", "users", "sum", "avg", "min", "max", "p50", "p95", "p99"],
                _ => &["count", "users", "avg", "p50"],
            };
            for measure in measures {
                let of_a_property = !matches!(*measure, "count" | "users");
                let question = json!({
                    "kind": "trends", "interval": interval, "measure": measure, "event_type": kind, "filter": filter,
                    "breakdown": breakdown, "property": of_a_property.then_some("amount"),
                });
                let (buckets, data) =
                    definition::trends::trends(told.history, told.zone, told.dates, &question);
                let source = told.expect(question, &[("buckets", buckets), ("data", data)]).await;
                let plain = filter.is_null() && breakdown.is_null();
                let expected = match *measure {
                    "count" if plain => "rollup",
                    "users" if plain && interval != "hour" => held,
                    _ => "raw",
                };
                assert_eq!(source, expected, "{interval} {measure}");
            }
        }
    }
}

#[actix_web::test]
async fn series_formulas_and_the_period_before() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let events = [
        did("ada", "visit", "2026-10-31T10:00:00Z"),
        did("ada", "visit", "2026-11-01T10:00:00Z"),
        did("bob", "visit", "2026-11-01T11:00:00Z"),
        did("ada", "buy", "2026-11-01T12:00:00Z").with(json!({"amount": 5})),
        did("bob", "buy", "2026-11-02T12:00:00Z").with(json!({"amount": "7"})),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let question = json!({
        "kind": "trends", "from": "2026-11-01", "to": "2026-11-02", "compare": true,
        "series": [{"event_type": "buy"}, {"event_type": "visit", "measure": "users"},
                   {"event_type": "buy", "measure": "sum", "property": "amount"}],
        "formulas": ["A / B", "(A + B) * 10"],
    });
    let answer = stage.answer(&project, &question).await.body;
    assert_eq!(answer["buckets"], json!(["2026-11-01", "2026-11-02"]));
    assert_eq!(
        answer["previous"],
        json!({"from": "2026-10-30", "to": "2026-10-31", "buckets": ["2026-10-30", "2026-10-31"]})
    );
    assert_eq!(
        answer["data"],
        json!([
            {"series": "A", "total": 2, "values": [1, 1], "previous": {"total": 0, "values": [0, 0]}},
            {"series": "B", "total": 2, "values": [2, 0], "previous": {"total": 1, "values": [0, 1]}},
            {"series": "C", "total": 5, "values": [5, 0], "left_out": 1, "previous": {"total": 0, "values": [0, 0]}},
            {"series": "A / B", "total": 1, "values": [0.5, null], "previous": {"total": 0, "values": [null, 0]}},
            {"series": "(A + B) * 10", "total": 40, "values": [30, 10], "previous": {"total": 10, "values": [0, 10]}},
        ])
    );
}

#[actix_web::test]
async fn the_route_is_the_question() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let events = [
        did("ada", "visit", "2026-11-01T10:00:00Z").with(json!({"plan": "pro", "amount": 1.5})),
        did("bob", "visit", "2026-11-01T11:00:00Z").with(json!({"plan": "free", "amount": 2})),
        did("bob", "buy", "2026-11-01T11:00:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let filter = json!({"property": "plan", "op": "exists"});
    let question = json!({
        "kind": "trends", "from": "2026-11-01", "to": "2026-11-01", "interval": "hour", "event_type": "visit",
        "measure": "avg", "property": "amount", "breakdown": "plan", "filter": filter, "compare": true,
    });
    let path = format!(
        "/api/v1/stats/trends?from=2026-11-01&to=2026-11-01&interval=hour&event_type=visit&measure=avg&property=amount\
         &breakdown=plan&compare=true&filter={}",
        filter.to_string().replace('"', "%22").replace('{', "%7B").replace('}', "%7D"),
    );
    let response = stage.request(&path, &project.key).send().await.unwrap();
    let tag = header(&response, "etag");
    assert_eq!(response.json::<Value>().await.unwrap(), stage.answer(&project, &question).await.body);
    let known = stage.query(&project, &question).header("If-None-Match", tag);
    assert_eq!(known.send().await.unwrap().status(), 304);
}

/// A breakdown of days that are in memory sees what was stored since, in whatever zone and points they are asked about.
#[actix_web::test]
async fn a_breakdown_from_memory_is_the_breakdown() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let at = |user, time: &str, plan: &str| {
        did(user, "visit", &format!("2026-11-01T{time}:00Z")).with(json!({"plan": plan}))
    };
    tell(&mut stage.teller(), &project, &[at("ada", "10:00", "pro"), at("bob", "20:00", "free")]).await;
    let users = async |interval: &str, timezone: &str| {
        let question = json!({
            "kind": "trends", "from": "2026-11-01", "to": "2026-11-02", "interval": interval, "timezone": timezone,
            "event_type": "visit", "measure": "users", "breakdown": "plan", "explain": true,
        });
        let answer = stage.answer(&project, &question).await.body;
        let parts = answer["explain"]["parts"].as_array().unwrap();
        let read = parts.iter().any(|part| part["what"] == "the users and times of events");
        let rows = answer["data"].as_array().unwrap().iter();
        (rows.map(|row| json!([row["value"], row["values"]])).collect::<Value>(), read)
    };
    let (first, read) = users("day", "UTC").await;
    assert_eq!((first, read), (json!([["free", [1, 0]], ["pro", [1, 0]]]), true));
    // Bob's evening is the next morning there, and the night before the first was not asked about before.
    let (elsewhere, _) = users("day", "Asia/Kolkata").await;
    assert_eq!(elsewhere, json!([["free", [0, 1]], ["pro", [1, 0]]]));
    assert!(!users("hour", "UTC").await.1);
    tell(&mut stage.teller(), &project, &[at("ada", "11:00", "pro"), at("cy", "12:00", "pro")]).await;
    let (later, read) = users("day", "UTC").await;
    assert_eq!((later, read), (json!([["pro", [2, 0]], ["free", [1, 0]]]), true));
}
