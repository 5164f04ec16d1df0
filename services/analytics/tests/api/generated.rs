//! Every answer over invented histories equals its definition, from the roll-ups and from the events, whatever order
//! and batches the events came in, before the activity sets are compacted and after.

use chrono::{DateTime, Utc};

use crate::asked::{Asked, date};
use crate::chronicle::{Happened, chance, invent, tell_in_disorder};
use crate::definition::{PERIODS, Retention};
use crate::stage::{Project, Stage};

const ZONES: [&str; 3] = ["UTC", "Asia/Kolkata", "America/New_York"];

/// In the middle of what happens, so that some of it has not happened yet. In New York it is the day before.
pub(crate) fn clock() -> DateTime<Utc> {
    "2025-04-10T02:00:00Z".parse().unwrap()
}

#[actix_web::test]
async fn in_a_project_of_utc() {
    equals_its_definition("UTC").await;
}

#[actix_web::test]
async fn in_a_project_of_kolkata() {
    equals_its_definition("Asia/Kolkata").await;
}

#[actix_web::test]
async fn in_a_project_of_new_york() {
    equals_its_definition("America/New_York").await;
}

async fn equals_its_definition(home: &str) {
    let mut random = chance();
    let stage = Stage::at(clock).await;
    let (project, neighbour) = (stage.project(home).await, stage.project(home).await);
    let history = invent(&mut random, 500);
    let early = &history[..300];
    tell_in_disorder(&stage, &neighbour, &invent(&mut random, 30), &mut random).await;

    tell_in_disorder(&stage, &project, early, &mut random).await;
    every_question(&stage, &project, Some(home), early).await;
    stage.compact().await;
    // Late events add parts to sets that are compacted already; the repeated ones add nothing.
    tell_in_disorder(&stage, &project, &history, &mut random).await;
    every_question(&stage, &project, Some(home), &history).await;
    stage.compact().await;
    every_question(&stage, &project, Some(home), &history).await;
}

/// `held`: the zone whose days the sets are of, if they are of any.
pub(crate) async fn every_question(
    stage: &Stage,
    project: &Project,
    held: Option<&str>,
    history: &[Happened],
) {
    let all = (date("2025-01-18"), date("2025-05-02"));
    let middle = (date("2025-02-20"), date("2025-03-20"));
    for (zone, dates) in ZONES.iter().flat_map(|zone| [(zone, all), (zone, middle)]) {
        let source = if held == Some(*zone) { "rollup" } else { "raw" };
        let asked = Asked { dates, ..Asked::new(stage, project, zone, history, clock()) };
        for (name, window) in [("dau", 1), ("wau", 7), ("mau", 30)] {
            for kind in [None, Some("visit"), Some("never")] {
                assert_eq!(asked.active_users(name, window, kind).await, source);
            }
        }
        assert_eq!(asked.top_events(2).await, source);
        assert_eq!(asked.top_events(10).await, source);
        for interval in ["day", "week", "month"] {
            for mode in ["on", "on_or_after"] {
                for cohort in ["first_time", "recurring"] {
                    for (start, back) in [(None, None), (Some("signup"), None), (Some("visit"), Some("buy"))]
                    {
                        let question = Retention { interval, periods: PERIODS, mode, cohort, start, back };
                        assert_eq!(asked.retention(&question).await, source);
                    }
                    let periods = &[(1, 3, Some("1-3")), (5, 5, Some("5"))];
                    let brackets = Retention { interval, periods, mode, cohort, start: None, back: None };
                    assert_eq!(asked.retention(&brackets).await, source);
                }
            }
        }
    }
}
