//! Trends from their definition.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, Offset, SubsecRound, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{filter, first_date, number};
use crate::chronicle::Happened;

/// The point of time that holds an instant.
pub(crate) fn bucket(interval: &str, zone: Tz, at: DateTime<Utc>) -> String {
    let wall = at.with_timezone(&zone);
    match interval {
        "hour" => {
            let minute = wall.trunc_subsecs(0) - TimeDelta::seconds(i64::from(wall.second()));
            let mut start = minute - TimeDelta::minutes(i64::from(wall.minute()));
            // The clock was changed within the hour: it begins then.
            if start.offset().fix() != wall.offset().fix() {
                start = minute;
                let is_alike =
                    |at: &DateTime<Tz>| at.hour() == wall.hour() && at.offset().fix() == wall.offset().fix();
                while is_alike(&(start - TimeDelta::minutes(1))) {
                    start -= TimeDelta::minutes(1);
                }
            }
            start.fixed_offset().to_rfc3339()
        }
        _ => first_date(interval, number(interval, wall.date_naive())).to_string(),
    }
}

/// Every point of some dates.
pub(crate) fn buckets(interval: &str, zone: Tz, (from, to): (NaiveDate, NaiveDate)) -> Vec<String> {
    let midnight = |date: NaiveDate| {
        zone.from_local_datetime(&date.and_time(chrono::NaiveTime::MIN)).earliest().unwrap()
    };
    let (mut at, end) = (midnight(from).to_utc(), midnight(to + Days::new(1)).to_utc());
    let mut names = Vec::new();
    while at < end {
        names.push(bucket(interval, zone, at));
        at += TimeDelta::minutes(15);
    }
    names.dedup();
    names
}

/// A measure of some events: `null` of nothing.
fn measure(events: &[&Happened], measure: &str, property: &str) -> Value {
    let mut numbers: Vec<f64> =
        events.iter().filter_map(|event| event.properties[property].as_f64()).collect();
    numbers.sort_by(f64::total_cmp);
    let percentile = |percent: f64| {
        let place = percent / 100.0 * (numbers.len() as f64 - 1.0);
        let (low, high) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
        low + (high - low) * place.fract()
    };
    match measure {
        "count" => events.len().into(),
        "users" => events.iter().map(|event| &event.user).collect::<HashSet<_>>().len().into(),
        "sum" => numbers.iter().sum::<f64>().into(),
        _ if numbers.is_empty() => Value::Null,
        "avg" => (numbers.iter().sum::<f64>() / numbers.len() as f64).into(),
        "min" => numbers[0].into(),
        "max" => numbers[numbers.len() - 1].into(),
        "p50" => percentile(50.0).into(),
        "p95" => percentile(95.0).into(),
        _ => percentile(99.0).into(),
    }
}

/// `total`, `values` and, for a property, `left_out` of the selected ones of `events`.
fn row(events: &[&Happened], question: &Value, zone: Tz, buckets: &[String]) -> Value {
    let text = |field: &str| question[field].as_str().unwrap_or_default().to_owned();
    let (interval, name, property) = (text("interval"), text("measure"), text("property"));
    let mut by_bucket: BTreeMap<String, Vec<&Happened>> = BTreeMap::new();
    for event in events {
        by_bucket.entry(bucket(&interval, zone, event.at)).or_default().push(event);
    }
    let nothing = Vec::new();
    let values: Vec<Value> = buckets
        .iter()
        .map(|bucket| measure(by_bucket.get(bucket).unwrap_or(&nothing), &name, &property))
        .collect();
    let mut row = json!({"series": "A", "total": measure(events, &name, &property), "values": values});
    if !property.is_empty() {
        row["left_out"] =
            events.iter().filter(|event| !event.properties[&property].is_number()).count().into();
    }
    row
}

/// `buckets` and `data` of a question with one series, about whole dates.
pub(crate) fn trends(
    history: &[Happened],
    zone: Tz,
    (from, to): (NaiveDate, NaiveDate),
    question: &Value,
) -> (Value, Value) {
    let buckets = buckets(question["interval"].as_str().unwrap(), zone, (from, to));
    let within = |event: &&Happened| {
        let date = event.at.with_timezone(&zone).date_naive();
        from <= date
            && date <= to
            && question["event_type"].as_str().is_none_or(|kind| kind == event.kind)
            && (question["filter"].is_null() || filter::passes(&question["filter"], event))
    };
    let events: Vec<&Happened> = history.iter().filter(within).collect();
    if question["breakdown"].is_null() {
        return (json!(buckets), json!([row(&events, question, zone, &buckets)]));
    }
    let (property, limit) = (&question["breakdown"]["property"], &question["breakdown"]["limit"]);
    let mut values: BTreeMap<Option<String>, Vec<&Happened>> = BTreeMap::new();
    for event in events {
        let value = match &event.properties[property.as_str().unwrap()] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        values.entry(value).or_default().push(event);
    }
    let mut ranked: Vec<_> = values.into_iter().collect();
    // Stable: values of equally many events stay in the order of their names, that of none first.
    ranked.sort_by_key(|(_, events)| std::cmp::Reverse(events.len()));
    let limit = usize::try_from(limit.as_u64().unwrap()).unwrap().min(ranked.len());
    let rest: Vec<&Happened> = ranked.split_off(limit).into_iter().flat_map(|(_, events)| events).collect();
    let mut data = Vec::new();
    for (value, events) in ranked {
        let mut row = row(&events, question, zone, &buckets);
        (row["value"], row["other"]) = (json!(value), false.into());
        data.push(row);
    }
    if !rest.is_empty() {
        let mut row = row(&rest, question, zone, &buckets);
        (row["value"], row["other"]) = (Value::Null, true.into());
        data.push(row);
    }
    (json!(buckets), json!(data))
}
