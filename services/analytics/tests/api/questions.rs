//! Every kind of question over invented histories equals its definition, in three zones, for events that came in any
//! order, late, ahead of time and twice.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::asked::date;
use crate::chronicle::{Happened, chance, invent, tell_in_disorder};
use crate::definition::{self, Dated, dated, filter, order, sets};
use crate::stage::{Project, Stage, alike};
use crate::{funnels, trends};

/// In the middle of what happens, so that some of it has not happened yet. In New York it is the day before.
fn clock() -> DateTime<Utc> {
    "2025-04-10T02:00:00Z".parse().unwrap()
}

/// A history that is told, and where and when it is asked about.
pub(crate) struct Told<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) project: &'a Project,
    pub(crate) history: &'a [Happened],
    pub(crate) zone: Tz,
    pub(crate) dates: (NaiveDate, NaiveDate),
    pub(crate) now: DateTime<Utc>,
}

impl Told<'_> {
    /// The instants that the dates cover.
    pub(crate) fn instants(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let midnight = |date: NaiveDate| {
            let wall = date.and_time(chrono::NaiveTime::MIN).and_local_timezone(self.zone);
            wall.earliest().unwrap().to_utc()
        };
        (midnight(self.dates.0), midnight(self.dates.1 + Days::new(1)))
    }

    fn today(&self) -> NaiveDate {
        self.now.with_timezone(&self.zone).date_naive()
    }

    fn dated(&self, filter: &Value) -> Vec<Dated<'_>> {
        let mut events = dated(self.history, self.zone);
        events.retain(|dated| filter.is_null() || filter::passes(filter, dated.event));
        events
    }

    fn within(&self, filter: &Value) -> Vec<&Happened> {
        let (from, to) = self.instants();
        let passes = |event: &&Happened| filter.is_null() || filter::passes(filter, event);
        self.history.iter().filter(|event| from <= event.at && event.at < to).filter(passes).collect()
    }

    /// Asks, with the dates and the zone added, and expects these fields in the answer.
    pub(crate) async fn expect(&self, mut question: Value, expected: &[(&str, Value)]) -> String {
        question["from"] = json!(self.dates.0);
        question["to"] = json!(self.dates.1);
        question["timezone"] = self.zone.name().into();
        let answer = self.stage.answer(self.project, &question).await;
        for (field, expected) in expected {
            assert!(
                alike(&answer.body[field], expected),
                "{question}\n{field}: {}\nnot:     {expected}",
                answer.body[field]
            );
        }
        answer.source
    }
}

#[actix_web::test]
async fn in_a_project_of_utc() {
    Box::pin(equals_its_definition("UTC", "Asia/Kolkata")).await;
}

#[actix_web::test]
async fn in_a_project_of_kolkata() {
    Box::pin(equals_its_definition("Asia/Kolkata", "America/New_York")).await;
}

#[actix_web::test]
async fn in_a_project_of_new_york() {
    Box::pin(equals_its_definition("America/New_York", "UTC")).await;
}

async fn equals_its_definition(home: &str, elsewhere: &str) {
    let mut random = chance();
    let stage = Stage::at(clock).await;
    let (project, neighbour) = (stage.project(home).await, stage.project(home).await);
    let history = invent(&mut random, 500);
    tell_in_disorder(&stage, &neighbour, &invent(&mut random, 30), &mut random).await;
    tell_in_disorder(&stage, &project, &history[..300], &mut random).await;
    stage.compact().await;
    tell_in_disorder(&stage, &project, &history, &mut random).await;

    let all = (date("2025-01-18"), date("2025-05-02"));
    let middle = (date("2025-02-20"), date("2025-03-20"));
    for (zone, dates) in [(home, all), (home, middle), (elsewhere, middle)] {
        let told = Told {
            stage: &stage,
            project: &project,
            history: &history,
            zone: zone.parse().unwrap(),
            dates,
            now: clock(),
        };
        let held = if zone == home { "rollup" } else { "raw" };
        active_users_and_top_events(&told).await;
        lifecycle_and_stickiness(&told, held, &["day", "week", "month"], "visit").await;
        paths(&told, "visit").await;
        sessions(&told).await;
        trends::every_question(&told, held).await;
        funnels::every_question(&told).await;
    }
}

fn nobody_internal() -> Value {
    json!({"and": [
        {"not": {"property": "plan", "op": "eq", "value": "team"}},
        {"or": [
            {"property": "amount", "op": "gte", "value": 2.5},
            {"field": "event_type", "op": "in", "value": ["visit", "buy"]},
        ]},
    ]})
}

async fn active_users_and_top_events(told: &Told<'_>) {
    let filter = nobody_internal();
    for (window, days) in [("day", 1), ("week", 7), ("month", 30)] {
        let data = definition::active_users(&told.dated(&filter), told.dates, days, Some("visit"));
        let question =
            json!({"kind": "active_users", "window": window, "event_type": "visit", "filter": filter});
        assert_eq!(told.expect(question, &[("data", data)]).await, "raw");
    }
    let data = definition::top_events(told.within(&filter), 10);
    told.expect(json!({"kind": "top_events", "filter": filter}), &[("data", data)]).await;
    let question = definition::Retention {
        interval: "week",
        periods: definition::PERIODS,
        mode: "on",
        cohort: "first_time",
        start: None,
        back: Some("visit"),
    };
    let (data, average) = definition::retention(&told.dated(&filter), told.dates, told.today(), &question);
    let question = json!({"kind": "retention", "interval": "week", "periods": 3, "return_event": "visit", "filter": filter});
    told.expect(question, &[("data", data), ("average", average)]).await;
}

/// Lifecycle and stickiness equal their definitions.
pub(crate) async fn lifecycle_and_stickiness(told: &Told<'_>, held: &str, intervals: &[&str], kind: &str) {
    for interval in intervals {
        for (kind, filter) in [(None, Value::Null), (Some(kind), Value::Null), (None, nobody_internal())] {
            let source = if filter.is_null() { held } else { "raw" };
            let events = told.dated(&filter);
            let question =
                |name| json!({"kind": name, "interval": interval, "event_type": kind, "filter": filter});
            let data = sets::lifecycle(&events, told.dates, told.today(), interval, kind);
            assert_eq!(told.expect(question("lifecycle"), &[("data", data)]).await, source);
            let data = sets::stickiness(&events, told.dates, interval, kind);
            assert_eq!(told.expect(question("stickiness"), &[("data", data)]).await, source);
        }
    }
}

/// Paths equal their definition.
pub(crate) async fn paths(told: &Told<'_>, anchor: &str) {
    for (end, backwards) in [("start_event", false), ("end_event", true)] {
        for (length, gap, days) in [(2, "1d", 1), (4, "14d", 14)] {
            for filter in [Value::Null, nobody_internal()] {
                let events = told.within(&filter);
                let data = order::paths(&events, (anchor, backwards), length, TimeDelta::days(days), 7);
                let mut question =
                    json!({"kind": "paths", "length": length, "gap": gap, "limit": 7, "filter": filter});
                question[end] = anchor.into();
                told.expect(question, &[("data", data)]).await;
            }
        }
    }
}

/// Sessions equal their definition.
pub(crate) async fn sessions(told: &Told<'_>) {
    for (interval, gap, minutes) in [("day", "30m", 30), ("week", "1d", 1_440)] {
        for filter in [Value::Null, nobody_internal()] {
            let events = told.within(&filter);
            let sessions = order::sessions(&events, TimeDelta::minutes(minutes));
            let mut begun: BTreeMap<String, Vec<&Vec<&Happened>>> = BTreeMap::new();
            for session in &sessions {
                let bucket = definition::trends::bucket(interval, told.zone, session[0].at);
                begun.entry(bucket).or_default().push(session);
            }
            let data: Value = definition::trends::buckets(interval, told.zone, told.dates)
                .into_iter()
                .map(|bucket| {
                    let mut row = order::session_figures(&begun.remove(&bucket).unwrap_or_default());
                    row["bucket"] = bucket.into();
                    row
                })
                .collect();
            let first = sessions.iter().map(|events| events[0].kind.clone());
            let last = sessions.iter().map(|events| events[events.len() - 1].kind.clone());
            let expected = [
                ("data", data),
                ("total", order::session_figures(&sessions.iter().collect::<Vec<_>>())),
                ("entries", order::ends(first)),
                ("exits", order::ends(last)),
            ];
            let question = json!({"kind": "sessions", "interval": interval, "gap": gap, "filter": filter});
            told.expect(question, &expected).await;
        }
    }
}
