use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::definition::order;
use crate::questions::Told;
use crate::stage::Stage;

/// Every funnel over a history equals its definition.
pub(crate) async fn every_question(told: &Told<'_>) {
    let buy = json!({"event_type": "buy"});
    let dear = json!({"event_type": "buy", "filter": {"property": "amount", "op": "gt", "value": 10}});
    let (visit, signup) = (json!({"event_type": "visit"}), json!({"event_type": "signup"}));
    let any_of_pro = json!({"filter": {"property": "plan", "op": "in", "value": ["pro", "Pro"]}});
    let breakdown = json!({"property": "plan", "limit": 2});
    for steps in [
        json!([signup, visit, buy]),
        json!([visit, visit, dear]),
        json!([any_of_pro, visit, any_of_pro]),
        json!([visit]),
    ] {
        for order in ["ordered", "strict", "loose"] {
            for (window, length) in [("6h", TimeDelta::hours(6)), ("3w", TimeDelta::weeks(3))] {
                for (exclude, filter, breakdown) in [
                    (&Value::Null, &Value::Null, &Value::Null),
                    (&json!([{"event_type": "signup"}]), &Value::Null, &Value::Null),
                    (&json!([{"event_type": "signup"}, {"event_type": "buy"}]), &Value::Null, &Value::Null),
                    (&json!([{"event_type": "signup"}]), &Value::Null, &breakdown),
                    (&Value::Null, &json!({"not": {"property": "path", "op": "exists"}}), &breakdown),
                ] {
                    let question = json!({
                        "kind": "funnel", "steps": steps, "order": order, "window": window, "exclude": exclude,
                        "filter": filter, "breakdown": breakdown,
                    });
                    let (data, groups) = order::funnel(told.history, told.instants(), &question, length);
                    let groups = if breakdown.is_null() { Value::Null } else { groups };
                    told.expect(question, &[("data", data), ("breakdown", groups)]).await;
                }
            }
        }
    }
}

/// The examples of docs/definitions.md.
#[actix_web::test]
async fn the_funnels_of_a_small_shop() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let events = [
        // Ada looks twice before she buys.
        did("ada", "visit", "2026-11-01T10:00:00Z"),
        did("ada", "visit", "2026-11-01T10:05:00Z"),
        did("ada", "buy", "2026-11-01T10:20:00Z"),
        // Bob buys a day later than he looked.
        did("bob", "visit", "2026-11-01T10:00:00Z"),
        did("bob", "buy", "2026-11-02T11:00:00Z"),
        // Cy buys first.
        did("cy", "buy", "2026-11-01T10:00:00Z"),
        did("cy", "visit", "2026-11-01T10:30:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let users = async |order: &str, window: &str, exclude: Value| {
        let question = json!({
            "kind": "funnel", "from": "2026-11-01", "to": "2026-11-01", "order": order, "window": window,
            "steps": [{"event_type": "visit"}, {"event_type": "buy"}], "exclude": exclude,
        });
        let answer = stage.answer(&project, &question).await.body;
        let of = |step: usize| answer["data"][step]["users"].as_u64().unwrap();
        (of(0), of(1), answer["data"][1]["median_seconds"].as_f64())
    };
    // Attempts begin on the 1st, and may end on the 2nd. Of Ada's attempts both get through; the earlier one counts.
    assert_eq!(users("ordered", "25h", Value::Null).await, (3, 2, Some((1_200.0 + 90_000.0) / 2.0)));
    assert_eq!(users("ordered", "24h", Value::Null).await, (3, 1, Some(1_200.0)));
    // Of Ada's attempts the later one gets further.
    assert_eq!(users("strict", "24h", Value::Null).await, (3, 1, Some(900.0)));
    assert_eq!(users("ordered", "16m", Value::Null).await, (3, 1, Some(900.0)));
    assert_eq!(users("loose", "24h", Value::Null).await, (3, 2, Some(1_500.0)));
    let excluded = json!([{"filter": {"field": "event_type", "op": "eq", "value": "refund"}}]);
    assert_eq!(users("ordered", "24h", excluded).await, (3, 1, Some(1_200.0)));
    tell(&mut stage.teller(), &project, &[did("ada", "refund", "2026-11-01T10:10:00Z")]).await;
    let excluded = json!([{"event_type": "refund"}]);
    assert_eq!(users("ordered", "24h", excluded).await, (3, 0, None));
}
