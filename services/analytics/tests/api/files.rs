//! Every number over a file of events equals a computation from the file.
//!
//! The file in this repository has times of day in odd zones, around midnights and changes of clocks.
//! `MILLRACE_TEST_EVENTS_CSV` names another to take its place, plain or gzip.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::sync::LazyLock;

use chrono::{DateTime, Days, TimeDelta, Utc};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::asked::Asked;
use crate::chronicle::{Happened, happened, tell};
use crate::definition::{self, PERIODS, Retention};
use crate::questions::{Told, lifecycle_and_stickiness, paths, sessions};
use crate::stage::Stage;

#[derive(Deserialize)]
struct Row {
    event_id: Uuid,
    user_id: String,
    event_type: String,
    occurred_at: DateTime<Utc>,
    #[serde(default)]
    properties: Option<String>,
}

fn read(path: &str) -> Vec<Happened> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    csv::Reader::from_reader(text)
        .deserialize()
        .map(|row| {
            let Row { event_id: id, user_id: user, event_type: kind, occurred_at: at, properties } =
                row.unwrap();
            let properties = properties.filter(|text| !text.is_empty());
            let properties = properties.map_or(json!({}), |text| serde_json::from_str(&text).unwrap());
            happened(id, user, kind, at).with(properties)
        })
        .collect()
}

/// A time at which the file's last third is the future.
fn two_thirds_through(path: &str) -> DateTime<Utc> {
    let mut times: Vec<_> = read(path).iter().map(|event| event.at).collect();
    times.sort_unstable();
    times[times.len() * 2 / 3]
}

/// The file that was named, if one was.
fn named() -> Option<String> {
    std::env::var("MILLRACE_TEST_EVENTS_CSV").ok().filter(|path| !path.is_empty())
}

fn path() -> String {
    named().unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/odd_zones.csv").to_owned())
}

/// Zones to ask about a file in; of the first three a project's days are days, too.
fn zones() -> &'static [&'static str] {
    match named() {
        // One of half an hour, and two whose clocks change.
        Some(_) => &["Asia/Kolkata", "Europe/Berlin", "America/New_York"],
        // Zones of half and three quarters of an hour, one whose clock changes by half an hour, one beyond the date
        // line, and one without a midnight in March.
        None => &[
            "UTC",
            "Asia/Kathmandu",
            "America/Havana",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
            "Pacific/Apia",
            "America/St_Johns",
        ],
    }
}

fn clock() -> DateTime<Utc> {
    static NOW: LazyLock<DateTime<Utc>> = LazyLock::new(|| two_thirds_through(&path()));
    *NOW
}

#[actix_web::test]
async fn every_number_over_a_file_equals_a_computation_from_it_in_one_zone() {
    Box::pin(every_number(zones()[0])).await;
}

#[actix_web::test]
async fn every_number_over_a_file_equals_a_computation_from_it_in_another_zone() {
    Box::pin(every_number(zones()[1])).await;
}

#[actix_web::test]
async fn every_number_over_a_file_equals_a_computation_from_it_in_a_third_zone() {
    Box::pin(every_number(zones()[2])).await;
}

async fn every_number(home: &str) {
    let mut history = read(&path());
    let stage = Stage::of_many_events(clock).await;
    let project = stage.project(home).await;
    let mut teller = stage.teller();
    for batch in history.chunks(1_000) {
        tell(&mut teller, &project, batch).await;
    }
    let mut seen = HashSet::new();
    history.retain(|event| seen.insert((event.id, event.at)));

    for zone in zones() {
        let asked = Asked::new(&stage, &project, zone, &history, clock());
        let source = if *zone == home { "rollup" } else { "raw" };
        let told = Told {
            stage: &stage,
            project: &project,
            history: &history,
            zone: zone.parse().unwrap(),
            dates: asked.dates,
            now: clock(),
        };
        from_sets(&asked, &told, source).await;
        // What is read from the events does not depend on whose days the project's are, and takes long for a long file.
        if named().is_none() || *zone == home {
            from_events(&told).await;
        }
    }
}

/// The types of the file, the most frequent ones first.
fn kinds(history: &[Happened]) -> Vec<&str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in history {
        *counts.entry(&event.kind).or_default() += 1;
    }
    let mut kinds: Vec<(&str, usize)> = counts.into_iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(*count));
    kinds.into_iter().map(|(kind, _)| kind).collect()
}

/// About what sets of users know.
async fn from_sets(asked: &Asked<'_>, told: &Told<'_>, source: &str) {
    let kinds = kinds(told.history);
    for (name, window) in [("dau", 1), ("wau", 7), ("mau", 30)] {
        for kind in [None, Some(kinds[0])] {
            assert_eq!(asked.active_users(name, window, kind).await, source);
        }
    }
    assert_eq!(asked.top_events(1_000).await, source);
    let brackets: &[_] = &[(1, 3, Some("1-3")), (5, 5, Some("5"))];
    let back = kinds.get(1).copied();
    for interval in ["day", "week", "month"] {
        for mode in ["on", "on_or_after"] {
            for cohort in ["first_time", "recurring"] {
                for (periods, start, back) in
                    [(PERIODS, None, None), (PERIODS, Some(kinds[0]), back), (brackets, back, None)]
                {
                    let question = Retention { interval, periods, mode, cohort, start, back };
                    assert_eq!(asked.retention(&question).await, source);
                }
            }
        }
    }
    lifecycle_and_stickiness(told, source, &["week", "month"], kinds[0]).await;
    lifecycle_and_stickiness(&last_year(told), source, &["day"], kinds[0]).await;
}

/// The last year of what is asked about: no answer has ten years of days.
fn last_year<'a>(told: &Told<'a>) -> Told<'a> {
    let (from, to) = told.dates;
    Told { dates: (from.max(to - Days::new(365)), to), ..*told }
}

/// About what only the events know.
async fn from_events(told: &Told<'_>) {
    let kinds = kinds(told.history);
    sessions(told).await;
    paths(told, kinds[0]).await;
    let number = told.history.iter().find_map(|event| {
        let properties = event.properties.as_object()?;
        properties.iter().find(|(_, value)| value.is_number()).map(|(name, _)| name.clone())
    });
    let property = number.clone().unwrap_or_else(|| "none".to_owned());
    let breakdown = json!({"property": property, "limit": 3});
    let year = last_year(told);
    for (interval, measure) in [
        ("hour", "count"),
        ("day", "users"),
        ("week", "users"),
        ("week", "sum"),
        ("month", "p95"),
        ("month", "count"),
    ] {
        let told = if interval == "hour" { &year } else { told };
        let of_a_property = !matches!(measure, "count" | "users");
        if of_a_property && number.is_none() {
            continue;
        }
        for (kind, breakdown) in
            [(None, &Value::Null), (Some(kinds[0]), &Value::Null), (Some(kinds[0]), &breakdown)]
        {
            let question = json!({
                "kind": "trends", "interval": interval, "measure": measure, "event_type": kind,
                "breakdown": breakdown, "property": of_a_property.then_some(&property),
            });
            let (buckets, data) = definition::trends::trends(told.history, told.zone, told.dates, &question);
            told.expect(question, &[("buckets", buckets), ("data", data)]).await;
        }
    }
    let step = |place: usize| json!({"event_type": kinds[place % kinds.len()]});
    let (steps, excluded) = (json!([step(0), step(1), step(0)]), json!([step(2)]));
    for order in ["ordered", "strict", "loose"] {
        for (window, length) in [("6h", TimeDelta::hours(6)), ("1w", TimeDelta::weeks(1))] {
            for (exclude, breakdown) in
                [(&Value::Null, &Value::Null), (&excluded, &Value::Null), (&excluded, &breakdown)]
            {
                let question = json!({
                    "kind": "funnel", "steps": steps, "order": order, "window": window, "exclude": exclude,
                    "breakdown": breakdown,
                });
                let (data, groups) =
                    definition::order::funnel(told.history, told.instants(), &question, length);
                let groups = if breakdown.is_null() { Value::Null } else { groups };
                told.expect(question, &[("data", data), ("breakdown", groups)]).await;
            }
        }
    }
}
