use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::stage::{Stage, problem};

#[actix_web::test]
async fn the_routes_are_questions_of_the_language() {
    let stage = Stage::set().await;
    let project = stage.project("Europe/Paris").await;
    let events = [
        did("ada", "visit", "2026-11-01T12:00:00Z"),
        did("bob", "visit", "2026-11-02T12:00:00Z"),
        did("ada", "buy", "2026-11-02T13:00:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    for (path, mut question) in [
        ("dau?", json!({"kind": "active_users"})),
        ("wau?event_type=visit&", json!({"kind": "active_users", "window": "week", "event_type": "visit"})),
        ("mau?timezone=UTC&", json!({"kind": "active_users", "window": "month", "timezone": "UTC"})),
        ("top-events?limit=1&", json!({"kind": "top_events", "limit": 1})),
        (
            "retention?periods=2&mode=on_or_after&",
            json!({"kind": "retention", "periods": 2, "mode": "on_or_after"}),
        ),
        (
            "retention?interval=week&cohort=recurring&brackets=1-2&",
            json!({"kind": "retention", "interval": "week", "cohort": "recurring", "brackets": "1-2"}),
        ),
        ("trends?measure=users&", json!({"kind": "trends", "measure": "users"})),
    ] {
        (question["from"], question["to"]) = ("2026-11-01".into(), "2026-11-02".into());
        let path = format!("/api/v1/stats/{path}from=2026-11-01&to=2026-11-02");
        let (routed, asked) = (stage.ask(&project, &path).await, stage.answer(&project, &question).await);
        assert_eq!((routed.body, routed.source), (asked.body, asked.source), "{path}");
    }
}

#[actix_web::test]
async fn every_mistake_names_its_path() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let steps = json!([{"event_type": "a"}]);
    for (question, field, code) in [
        (json!({"kind": "trends"}), "from", "required"),
        (json!({"from": "2026-11-01", "to": "2026-11-01"}), "kind", "required"),
        (json!({"kind": "sql"}), "kind", "unknown_value"),
        (json!({"kind": ["trends"]}), "kind", "invalid"),
        (json!({"kind": "active_users", "timezone": "Mars"}), "timezone", "unknown_timezone"),
        (json!({"kind": "active_users", "windows": "day"}), "windows", "unknown"),
        (json!({"kind": "active_users", "window": "year"}), "window", "unknown_value"),
        (json!({"kind": "top_events", "limit": 0}), "limit", "out_of_range"),
        (json!({"kind": "retention", "interval": "year"}), "interval", "unknown_value"),
        (json!({"kind": "retention", "period": 7}), "period", "unknown"),
        (
            json!({"kind": "funnel", "steps": steps, "filter": {"and": [{"property": "a", "op": "like"}]}}),
            "filter.and[0].op",
            "unknown_value",
        ),
        (
            json!({"kind": "funnel", "steps": [{"event_type": "a"}, {"filter": {"property": "a", "is": 1}}]}),
            "steps[1].filter.is",
            "unknown",
        ),
        (json!({"kind": "funnel", "steps": []}), "steps", "out_of_range"),
        (json!({"kind": "trends", "interval": "hour", "from": "2017-01-01"}), "interval", "too_many_buckets"),
        (json!({"kind": "trends", "formulas": ["A / C"]}), "formulas[0]", "invalid_formula"),
        (json!({"kind": "lifecycle", "from": "2017-01-01"}), "interval", "too_many_intervals"),
        (json!({"kind": "stickiness", "from": "2017-01-01"}), "interval", "too_many_intervals"),
        (json!({"kind": "paths"}), "start_event", "required"),
        (json!({"kind": "paths", "start_event": "a", "length": 21}), "length", "out_of_range"),
        (json!({"kind": "sessions", "gap": "2d"}), "gap", "invalid_duration"),
        (json!({"kind": "trends", "explain": "yes"}), "explain", "invalid"),
        (json!({"kind": "trends", "filter": {"cohort": 5}}), "filter.cohort", "unknown"),
    ] {
        let mut full = question.clone();
        if field != "from" {
            let dates = json!({"from": "2026-11-01", "to": "2026-11-02"});
            for (name, value) in dates.as_object().unwrap() {
                full.as_object_mut().unwrap().entry(name).or_insert(value.clone());
            }
        }
        let (status, refused) = problem(stage.query(&project, &full)).await;
        assert_eq!(status, 422, "{full}: {refused}");
        let error = &refused["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)), "{full}: {refused}");
        assert!(error["message"].as_str().unwrap().contains(field), "{refused}");
    }
    let (status, _) = problem(stage.query(&project, &json!([1]))).await;
    assert_eq!(status, 422);
}

/// What clients send is never text of a statement.
#[actix_web::test]
async fn quotes_and_semicolons_are_only_text() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let wicked = r#"'; DROP TABLE events; -- \" $1"#;
    let event = did("ada", wicked, "2026-11-01T12:00:00Z").with(json!({wicked: wicked}));
    tell(&mut stage.teller(), &project, &[event, did("bob", "visit", "2026-11-01T12:00:00Z")]).await;
    let is = |op: &str, value: Value| json!({"property": wicked, "op": op, "value": value});
    let filters = json!([
        is("eq", wicked.into()), is("in", json!([wicked, 1, true])), is("contains", "DROP".into()),
        is("gte", "'".into()), {"property": wicked, "op": "exists"},
        {"field": "event_type", "op": "eq", "value": wicked},
    ]);
    let question = json!({
        "kind": "trends", "from": "2026-11-01", "to": "2026-11-01", "filter": {"and": filters},
        "series": [{"event_type": wicked}, {"measure": "sum", "property": wicked}], "breakdown": wicked,
    });
    let answer = stage.answer(&project, &question).await.body;
    assert_eq!((&answer["data"][0]["value"], &answer["data"][0]["total"]), (&json!(wicked), &json!(1)));
    assert_eq!(answer["data"][1]["left_out"], 1);
}

#[actix_web::test]
async fn whoever_wants_to_know_is_told_which_store_answered() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let mut question =
        json!({"kind": "active_users", "from": "2026-11-01", "to": "2026-11-01", "explain": true});
    let explain = stage.answer(&project, &question).await.body["explain"].clone();
    assert_eq!(
        (&explain["source"], &explain["parts"][1]["what"]),
        (&json!("rollup"), &json!("activity sets"))
    );
    assert!(
        explain["worked_ms"].as_f64().unwrap() >= explain["parts"][1]["ms"].as_f64().unwrap(),
        "{explain}"
    );
    question["filter"] = json!({"property": "plan", "op": "exists"});
    let explain = stage.answer(&project, &question).await.body["explain"].clone();
    assert_eq!((&explain["source"], &explain["parts"][1]["store"]), (&json!("raw"), &json!("raw")));
    question["explain"] = false.into();
    assert!(stage.answer(&project, &question).await.body["explain"].is_null());
}

#[actix_web::test]
async fn the_same_question_in_another_order_is_kept() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let ask = async |body: &'static str| {
        let body: Value = serde_json::from_str(body).unwrap();
        let response = stage.query(&project, &body).send().await.unwrap();
        crate::stage::header(&response, "x-cache")
    };
    assert_eq!(ask(r#"{"kind": "trends", "from": "2026-11-01", "to": "2026-11-02"}"#).await, "miss");
    assert_eq!(ask(r#"{"to": "2026-11-02", "from": "2026-11-01", "kind": "trends"}"#).await, "hit");
    assert_eq!(ask(r#"{"to": "2026-11-03", "from": "2026-11-01", "kind": "trends"}"#).await, "miss");
    // An attempt that begins in October may end in November.
    let funnel =
        r#"{"kind": "funnel", "from": "2026-10-31", "to": "2026-10-31", "window": "7d", "steps": [{}, {}]}"#;
    assert_eq!((ask(funnel).await, ask(funnel).await), ("miss".into(), "hit".into()));
    tell(&mut stage.teller(), &project, &[did("ada", "visit", "2026-11-05T12:00:00Z")]).await;
    assert_eq!(ask(funnel).await, "miss");
}
