//! Every number over a file of events equals a computation from the file.
//!
//! The file in this repository has times of day in odd zones, around midnights and changes of clocks.
//! `MILLRACE_TEST_EVENTS_CSV` names another to take its place, plain or gzip.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use uuid::Uuid;

use crate::asked::Asked;
use crate::chronicle::{Happened, happened, tell};
use crate::definition::{PERIODS, Retention};
use crate::questions::{Told, lifecycle_and_stickiness, sessions};
use crate::stage::Stage;

#[derive(Deserialize)]
struct Row {
    event_id: Uuid,
    user_id: String,
    event_type: String,
    occurred_at: DateTime<Utc>,
}

fn read(path: &str) -> Vec<Happened> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    csv::Reader::from_reader(text)
        .deserialize()
        .map(|row| {
            let Row { event_id: id, user_id: user, event_type: kind, occurred_at: at } = row.unwrap();
            happened(id, user, kind, at)
        })
        .collect()
}

/// A time at which the file's last third is the future.
fn two_thirds_through(path: &str) -> DateTime<Utc> {
    let mut times: Vec<_> = read(path).iter().map(|event| event.at).collect();
    times.sort_unstable();
    times[times.len() * 2 / 3]
}

/// The file, and the zones to ask about it in; of the first few the project's days are days, too.
fn subject() -> (String, &'static [&'static str], usize) {
    match std::env::var("MILLRACE_TEST_EVENTS_CSV") {
        Ok(path) if !path.is_empty() => (path, &["UTC", "Asia/Kolkata"], 2),
        // Zones of half and three quarters of an hour, one whose clock changes by half an hour, one beyond the date
        // line, and one without a midnight in March.
        _ => (
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/odd_zones.csv").to_owned(),
            &[
                "UTC",
                "Asia/Kathmandu",
                "America/Havana",
                "Asia/Kolkata",
                "Australia/Lord_Howe",
                "Pacific/Apia",
                "America/St_Johns",
            ],
            3,
        ),
    }
}

fn clock() -> DateTime<Utc> {
    static NOW: LazyLock<DateTime<Utc>> = LazyLock::new(|| two_thirds_through(&subject().0));
    *NOW
}

#[actix_web::test]
async fn every_number_over_a_file_equals_a_computation_from_it() {
    let (path, zones, homes) = subject();
    for home in &zones[..homes] {
        every_number(&path, home, zones).await;
    }
}

async fn every_number(path: &str, home: &str, zones: &[&str]) {
    let mut history = read(path);
    let stage = Stage::at(clock).await;
    let project = stage.project(home).await;
    let mut teller = stage.teller();
    for batch in history.chunks(1_000) {
        tell(&mut teller, &project, batch).await;
    }
    let mut seen = HashSet::new();
    history.retain(|event| seen.insert((event.id, event.at)));

    for zone in zones {
        let asked = Asked::new(&stage, &project, zone, &history, clock());
        let source = if *zone == home { "rollup" } else { "raw" };
        // The other kinds are held to their definitions for events of any number; here for days that are odd.
        if history.len() < 1_000 {
            let told = Told {
                stage: &stage,
                project: &project,
                history: &history,
                zone: zone.parse().unwrap(),
                dates: asked.dates,
                now: clock(),
            };
            lifecycle_and_stickiness(&told, source).await;
            sessions(&told).await;
        }
        for (name, window) in [("dau", 1), ("wau", 7), ("mau", 30)] {
            assert_eq!(asked.active_users(name, window, None).await, source);
        }
        assert_eq!(asked.top_events(1_000).await, source);
        for interval in ["day", "week", "month"] {
            for mode in ["on", "on_or_after"] {
                for cohort in ["first_time", "recurring"] {
                    let question =
                        Retention { interval, periods: PERIODS, mode, cohort, start: None, back: None };
                    assert_eq!(asked.retention(&question).await, source);
                }
            }
        }
    }
}
