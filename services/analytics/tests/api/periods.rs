//! Between instants, and at the edges of days.

use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use rand::Rng;
use serde_json::json;

use crate::chronicle::{Happened, chance, did, invent, tell, tell_in_disorder};
use crate::definition::{self, dated};
use crate::stage::Stage;

#[actix_web::test]
async fn a_day_is_a_day_of_the_project_unless_another_zone_is_asked_for() {
    let stage = Stage::set().await;
    let project = stage.project("Asia/Kolkata").await;
    // One minute before and one after midnight in Kolkata.
    let events = [did("ada", "visit", "2026-11-01T18:29:00Z"), did("ada", "visit", "2026-11-01T18:31:00Z")];
    tell(&mut stage.teller(), &project, &events).await;

    let answer = stage.ask(&project, "/api/v1/stats/dau?from=2026-11-01&to=2026-11-03").await;
    assert_eq!(answer.source, "rollup");
    assert_eq!(
        answer.body,
        json!({"from": "2026-11-01", "to": "2026-11-03", "timezone": "Asia/Kolkata", "data": [
            {"date": "2026-11-01", "users": 1}, {"date": "2026-11-02", "users": 1}, {"date": "2026-11-03", "users": 0},
        ]})
    );
    let answer = stage.ask(&project, "/api/v1/stats/dau?from=2026-11-01&to=2026-11-02&timezone=UTC").await;
    assert_eq!(answer.source, "raw");
    assert_eq!(
        answer.body,
        json!({"from": "2026-11-01", "to": "2026-11-02", "timezone": "UTC", "data": [
            {"date": "2026-11-01", "users": 1}, {"date": "2026-11-02", "users": 0},
        ]})
    );
}

#[actix_web::test]
async fn instants_are_echoed_and_their_end_is_excluded() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let events = [
        did("ada", "visit", "2026-11-01T12:00:00Z"),
        did("grace", "visit", "2026-11-01T13:00:00Z"),
        did("grace", "buy", "2026-11-01T12:07:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let question = "top-events?from=2026-11-01T17:30:00%2B05:30&to=2026-11-01T13:00:00Z";
    let answer = stage.ask(&project, &format!("/api/v1/stats/{question}")).await;
    // The counts come from buckets, the users of half a day only from the events.
    assert_eq!(answer.source, "raw");
    assert_eq!(
        answer.body,
        json!({"from": "2026-11-01T17:30:00+05:30", "to": "2026-11-01T13:00:00Z", "timezone": "UTC", "data": [
            {"event_type": "buy", "count": 1, "users": 1}, {"event_type": "visit", "count": 1, "users": 1},
        ]})
    );
}

#[actix_web::test]
async fn what_is_rare_in_the_middle_may_be_frequent_at_the_edges() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let often =
        |kind: &'static str, time: &'static str, times| (0..times).map(move |_| did("ada", kind, time));
    let events: Vec<Happened> = often("visit", "2026-11-01T12:20:00Z", 3)
        .chain(often("buy", "2026-11-01T12:20:00Z", 1))
        .chain(often("buy", "2026-11-01T12:10:00Z", 2))
        .chain(often("buy", "2026-11-01T12:35:00Z", 2))
        .collect();
    tell(&mut stage.teller(), &project, &events).await;
    let question = "top-events?from=2026-11-01T12:05:00Z&to=2026-11-01T12:40:00Z&limit=1";
    let answer = stage.ask(&project, &format!("/api/v1/stats/{question}")).await;
    assert_eq!(answer.body["data"], json!([{"event_type": "buy", "count": 5, "users": 1}]));
}

#[actix_web::test]
async fn retention_of_a_small_shop() {
    fn clock() -> DateTime<Utc> {
        "2026-11-03T12:00:00Z".parse().unwrap()
    }
    let stage = Stage::at(clock).await;
    let project = stage.project("UTC").await;
    let events = [
        did("ada", "visit", "2026-10-31T12:00:00Z"),
        did("ada", "visit", "2026-11-02T12:00:00Z"),
        did("grace", "visit", "2026-11-01T12:00:00Z"),
        did("edith", "visit", "2026-11-01T13:00:00Z"),
        did("grace", "visit", "2026-11-02T12:00:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let answer = stage.ask(&project, "/api/v1/stats/retention?from=2026-11-01&to=2026-11-02&periods=2").await;
    let cell = |period, users, rate, complete| json!({"period": period, "users": users, "rate": rate, "complete": complete});
    assert_eq!(
        answer.body,
        json!({
            "from": "2026-11-01", "to": "2026-11-02", "timezone": "UTC",
            "interval": "day", "mode": "on", "cohort": "first_time",
            "data": [
                {"cohort": "2026-11-01", "size": 2,
                 "values": [cell(0, 2, 1.0, true), cell(1, 1, 0.5, true), cell(2, 0, 0.0, false)]},
                {"cohort": "2026-11-02", "size": 0,
                 "values": [cell(0, 0, 0.0, true), cell(1, 0, 0.0, false), cell(2, 0, 0.0, false)]},
            ],
            "average": [
                {"period": 0, "rate": 1.0, "users": 2, "size": 2},
                {"period": 1, "rate": 0.5, "users": 1, "size": 2},
                {"period": 2, "rate": null, "users": 0, "size": 0},
            ],
        })
    );
}

#[actix_web::test]
async fn between_any_two_instants_the_answers_equal_their_definitions() {
    let mut random = chance();
    let stage = Stage::set().await;
    let history = invent(&mut random, 400);
    for (home, asked) in [("UTC", "UTC"), ("Asia/Kolkata", "Asia/Kolkata"), ("Asia/Kolkata", "UTC")] {
        let project = stage.project(home).await;
        tell_in_disorder(&stage, &project, &history, &mut random).await;
        let zone: Tz = asked.parse().unwrap();
        for _ in 0..25 {
            // Some begin and end with a day or a bucket, most do not; some are shorter than a day.
            let origin: DateTime<Utc> = "2025-01-20T00:00:00Z".parse().unwrap();
            let step = [86_400, 900, 37][random.random_range(0..3)];
            let mut instant =
                || origin + TimeDelta::seconds(random.random_range(0..100 * 86_400 / step) * step);
            let (mut from, mut to) = (instant(), instant());
            if from > to {
                std::mem::swap(&mut from, &mut to);
            }
            to += TimeDelta::seconds(step);
            let written = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
            let query = format!("from={}&to={}&timezone={asked}", written(from), written(to));
            let dates: (NaiveDate, NaiveDate) = (
                from.with_timezone(&zone).date_naive(),
                (to - TimeDelta::microseconds(1)).with_timezone(&zone).date_naive(),
            );

            for (name, window) in [("dau", 1), ("wau", 7), ("mau", 30)] {
                let path = format!("/api/v1/stats/{name}?{query}");
                let reached = from - Days::new(window - 1);
                let within: Vec<Happened> =
                    history.iter().filter(|event| reached <= event.at && event.at < to).cloned().collect();
                let expected = definition::active_users(&dated(&within, zone), dates, window, None);
                assert_eq!(stage.ask(&project, &path).await.body["data"], expected, "{home}: {path}");
            }
            let path = format!("/api/v1/stats/top-events?{query}");
            let within = history.iter().filter(|event| from <= event.at && event.at < to);
            let answer = stage.ask(&project, &path).await;
            assert_eq!(answer.body["data"], definition::top_events(within, 10), "{home}: {path}");
        }
    }
}
