//! The answers from their definitions: event by event and user by user, with nothing of the product in between.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{Datelike, Days, NaiveDate};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::chronicle::Happened;

pub(crate) mod cohorts;
pub(crate) mod filter;
pub(crate) mod order;
pub(crate) mod sets;
pub(crate) mod trends;

/// A selection of events; `None` selects all.
pub(crate) type Kind<'a> = Option<&'a str>;

/// An event with its local date.
#[derive(Clone, Copy)]
pub(crate) struct Dated<'a> {
    pub(crate) date: NaiveDate,
    pub(crate) event: &'a Happened,
}

/// With the date on the wall: the zones here put no clock back across midnight.
pub(crate) fn dated(events: &[Happened], zone: Tz) -> Vec<Dated<'_>> {
    events.iter().map(|event| Dated { date: event.at.with_timezone(&zone).date_naive(), event }).collect()
}

fn of_kind(kind: Kind<'_>) -> impl Fn(&&Dated<'_>) -> bool {
    move |dated| kind.is_none_or(|kind| dated.event.kind == kind)
}

/// `data` of daily, weekly and monthly active users. Only `events` count.
pub(crate) fn active_users(
    events: &[Dated<'_>],
    (from, to): (NaiveDate, NaiveDate),
    window_days: u64,
    kind: Kind<'_>,
) -> Value {
    let mut by_date: BTreeMap<NaiveDate, HashSet<&str>> = BTreeMap::new();
    for Dated { date, event } in events.iter().filter(of_kind(kind)) {
        by_date.entry(*date).or_default().insert(&event.user);
    }
    from.iter_days()
        .take_while(|date| *date <= to)
        .map(|date| {
            let window = date - Days::new(window_days - 1)..=date;
            let users: HashSet<&str> = by_date.range(window).flat_map(|(_, users)| users).copied().collect();
            json!({"date": date, "users": users.len()})
        })
        .collect()
}

/// `data` of the most frequent event types among `events`.
pub(crate) fn top_events<'a>(events: impl IntoIterator<Item = &'a Happened>, limit: usize) -> Value {
    let mut types: HashMap<&str, (usize, HashSet<&str>)> = HashMap::new();
    for event in events {
        let (count, users) = types.entry(&event.kind).or_default();
        *count += 1;
        users.insert(&event.user);
    }
    let mut ranked: Vec<_> = types.into_iter().collect();
    ranked.sort_by(|(a, (more, _)), (b, (less, _))| less.cmp(more).then(a.cmp(b)));
    ranked
        .iter()
        .take(limit)
        .map(|(kind, (count, users))| json!({"event_type": kind, "count": count, "users": users.len()}))
        .collect()
}

/// The periods 1, 2 and 3.
pub(crate) const PERIODS: &[Period<'static>] = &[(1, 1, None), (2, 2, None), (3, 3, None)];

/// The first and the last interval after the cohort; the bracket's name, if brackets were asked for.
pub(crate) type Period<'a> = (i32, i32, Option<&'a str>);

/// A retention question.
#[derive(Clone, Debug)]
pub(crate) struct Retention<'a> {
    pub(crate) interval: &'a str,
    pub(crate) periods: &'a [Period<'a>],
    pub(crate) mode: &'a str,
    pub(crate) cohort: &'a str,
    pub(crate) start: Kind<'a>,
    pub(crate) back: Kind<'a>,
}

/// Counts intervals from somewhere.
pub(crate) fn number(interval: &str, date: NaiveDate) -> i32 {
    match interval {
        "day" => date.num_days_from_ce(),
        // Day 1 of the common era was a Monday.
        "week" => (date.num_days_from_ce() - 1).div_euclid(7),
        _ => date.year() * 12 + date.month0().cast_signed(),
    }
}

pub(crate) fn first_date(interval: &str, number: i32) -> NaiveDate {
    match interval {
        "day" => NaiveDate::from_num_days_from_ce_opt(number).unwrap(),
        "week" => NaiveDate::from_num_days_from_ce_opt(number * 7 + 1).unwrap(),
        _ => NaiveDate::from_ymd_opt(number.div_euclid(12), number.rem_euclid(12).unsigned_abs() + 1, 1)
            .unwrap(),
    }
}

/// `data` and `average` of retention, as of `today`.
pub(crate) fn retention(
    events: &[Dated<'_>],
    (from, to): (NaiveDate, NaiveDate),
    today: NaiveDate,
    question: &Retention<'_>,
) -> (Value, Value) {
    let interval_of = |date| number(question.interval, date);
    let present = interval_of(today);
    // User by user, the intervals of what they did so far.
    let did = |kind| {
        let mut intervals: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        let mut so_far: Vec<&Dated<'_>> =
            events.iter().filter(of_kind(kind)).filter(|dated| dated.date <= today).collect();
        so_far.sort_by_key(|dated| dated.event.at);
        for Dated { date, event } in so_far {
            intervals.entry(&event.user).or_default().push(interval_of(*date));
        }
        intervals.values_mut().for_each(Vec::dedup);
        intervals
    };
    let mut starts = did(question.start);
    if question.cohort == "first_time" {
        starts.values_mut().for_each(|intervals| intervals.truncate(1));
    }
    let mut members: BTreeMap<i32, HashSet<&str>> = BTreeMap::new();
    for (user, intervals) in &starts {
        for interval in intervals {
            members.entry(*interval).or_default().insert(user);
        }
    }
    let returns = did(question.back);
    let nobody = HashSet::new();

    let mut sums = vec![(0usize, 0usize); question.periods.len() + 1];
    let mut data = Vec::new();
    for cohort in interval_of(from)..=interval_of(to) {
        let cohort_members = members.get(&cohort).unwrap_or(&nobody);
        let size = cohort_members.len();
        let mut cells = vec![(size, cohort < present)];
        for &(first, last, _) in question.periods {
            let came_back = |user: &&&str| {
                returns.get(**user).is_some_and(|intervals| match question.mode {
                    "on" => intervals.iter().any(|i| (cohort + first..=cohort + last).contains(i)),
                    _ => intervals.iter().any(|i| *i >= cohort + first),
                })
            };
            cells.push((cohort_members.iter().filter(came_back).count(), cohort + last < present));
        }
        for (sum, (users, complete)) in sums.iter_mut().zip(&cells) {
            if *complete {
                *sum = (sum.0 + users, sum.1 + size);
            }
        }
        let values: Value = cells
            .iter()
            .enumerate()
            .map(|(period, (users, complete))| {
                let rate = rate(*users, size).unwrap_or(0.0);
                labelled(
                    json!({"period": period, "users": users, "rate": rate, "complete": complete}),
                    question,
                )
            })
            .collect();
        data.push(json!({"cohort": first_date(question.interval, cohort), "size": size, "values": values}));
    }
    let average = sums
        .iter()
        .enumerate()
        .map(|(period, (users, size))| {
            let rate = rate(*users, *size);
            labelled(json!({"period": period, "rate": rate, "users": users, "size": size}), question)
        })
        .collect();
    (as_sent(&Value::Array(data)), as_sent(&average))
}

/// With its bracket, if it has one. Period 0, the cohort itself, has none.
fn labelled(mut cell: Value, question: &Retention<'_>) -> Value {
    let place = cell["period"].as_u64().and_then(|period| usize::try_from(period).ok()?.checked_sub(1));
    if let Some((_, _, Some(bracket))) = place.map(|place| question.periods[place]) {
        cell["bracket"] = json!(bracket);
    }
    cell
}

#[expect(clippy::cast_precision_loss, reason = "a few users")]
fn rate(users: usize, size: usize) -> Option<f64> {
    (size > 0).then(|| users as f64 / size as f64)
}

/// Numbers as they come out of JSON, which rounds.
fn as_sent(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).unwrap()
}
