use serde_json::json;

use crate::stage::{Stage, problem};

#[actix_web::test]
async fn every_mistake_is_refused_by_field() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    for (question, field, code) in [
        ("dau?to=2026-11-30", "from", "required"),
        ("dau?from=2026-11-01", "to", "required"),
        ("dau?from=yesterday&to=2026-11-30", "from", "not_a_time"),
        ("wau?from=2026-11-01&to=2026-11-31", "to", "not_a_time"),
        ("mau?from=2026-11-01&to=2026-11-30T00:00:00Z", "to", "mixed_period"),
        ("dau?from=2026-11-02&to=2026-11-01", "from", "reversed_period"),
        ("dau?from=1960-01-01&to=1970-01-02", "from", "outside_calendar"),
        ("dau?from=2010-01-01&to=2026-01-01", "to", "period_too_long"),
        ("dau?from=2026-11-01&to=2026-11-30&timezone=Mars/Olympus", "timezone", "unknown_timezone"),
        ("dau?from=2026-11-01&to=2026-11-30&event_type=%00", "event_type", "invalid_event_type"),
        ("dau?from=2026-11-01&to=2026-11-30&evnt_type=login", "evnt_type", "invalid"),
        ("dau?from=2026-11-01&to=2026-11-30&from=2026-11-02", "from", "invalid"),
        ("top-events?from=2026-11-01&to=2026-11-30&limit=0", "limit", "out_of_range"),
        ("top-events?from=2026-11-01&to=2026-11-30&limit=1001", "limit", "out_of_range"),
        ("top-events?from=2026-11-01&to=2026-11-30&event_type=a", "event_type", "invalid"),
        ("retention?from=2026-11-01&to=2026-11-30&interval=year", "interval", "unknown_value"),
        ("retention?from=2026-11-01&to=2026-11-30&periods=0", "periods", "out_of_range"),
        ("retention?from=2026-11-01&to=2026-11-30&periods=many", "periods", "out_of_range"),
        ("retention?from=2026-11-01&to=2026-11-30&brackets=3-1", "brackets", "invalid_brackets"),
        ("retention?from=2026-11-01&to=2026-11-30&brackets=1-3,2-4", "brackets", "invalid_brackets"),
        (
            "retention?from=2026-11-01&to=2026-11-30&periods=3&brackets=1-3",
            "brackets",
            "conflicting_parameters",
        ),
        ("retention?from=2026-11-01&to=2026-11-30&mode=after", "mode", "unknown_value"),
        ("retention?from=2026-11-01&to=2026-11-30&cohort=all", "cohort", "unknown_value"),
        ("retention?from=2026-11-01&to=2026-11-30&start_event=%00", "start_event", "invalid_event_type"),
        ("retention?from=2026-11-01&to=2026-11-30&return_event=%00", "return_event", "invalid_event_type"),
        ("retention?from=2017-01-01&to=2026-11-30&periods=366", "periods", "too_many_cells"),
        ("../event-types?limit=201", "limit", "out_of_range"),
        ("../event-types?cursor=!", "cursor", "invalid_cursor"),
        ("../event-types?page=2", "page", "invalid"),
    ] {
        let (status, refused) =
            problem(stage.request(&format!("/api/v1/stats/{question}"), &project.key)).await;
        assert_eq!(status, 422, "{question}: {refused}");
        let error = &refused["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!(field), &json!(code)), "{question}: {refused}");
        assert!(error["message"].as_str().unwrap().contains(field), "{question}: {refused}");
        assert_eq!(refused["message"], refused["detail"]);
    }
}

#[actix_web::test]
async fn an_empty_event_type_means_any() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let event = crate::chronicle::did("ada", "visit", "2026-11-01T12:00:00Z");
    crate::chronicle::tell(&mut stage.teller(), &project, &[event]).await;
    let answer = stage.ask(&project, "/api/v1/stats/dau?from=2026-11-01&to=2026-11-01&event_type=").await;
    assert_eq!(answer.body["data"][0]["users"], 1);
}

#[actix_web::test]
async fn elsewhere_there_is_nothing() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    assert_eq!(
        problem(stage.request("/api/v1/stats/yau?from=2026-11-01&to=2026-11-02", &project.key)).await.0,
        404
    );
}
