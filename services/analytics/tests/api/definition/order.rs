//! Funnels, paths and sessions from their definitions: user by user, event by event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::filter;
use crate::chronicle::Happened;

fn by_user<'a>(events: impl IntoIterator<Item = &'a Happened>) -> BTreeMap<&'a str, Vec<&'a Happened>> {
    let mut users: BTreeMap<&str, Vec<&Happened>> = BTreeMap::new();
    for event in events {
        users.entry(&event.user).or_default().push(event);
    }
    users
}

fn is_of(events: &Value, event: &Happened, all: &Value) -> bool {
    events["event_type"].as_str().is_none_or(|kind| kind == event.kind)
        && (events["filter"].is_null() || filter::passes(&events["filter"], event))
        && (all.is_null() || filter::passes(all, event))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// A question with `window_hours` beside what the language has. `data` and `breakdown`.
pub(crate) fn funnel(
    history: &[Happened],
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    question: &Value,
    window: TimeDelta,
) -> (Value, Value) {
    let (steps, exclude, all) = (list(&question["steps"]), list(&question["exclude"]), &question["filter"]);
    let order = question["order"].as_str().unwrap();
    // The best attempt of each user: the value it began with, and when its steps were.
    let mut attempts: Vec<(Option<String>, Vec<DateTime<Utc>>)> = Vec::new();
    for (_, events) in by_user(history) {
        let mut marked: Vec<(&Happened, Vec<usize>, bool)> = events
            .into_iter()
            .map(|event| {
                let of: Vec<usize> =
                    (0..steps.len()).filter(|step| is_of(&steps[*step], event, all)).collect();
                let excluded = of.is_empty() && exclude.iter().any(|events| is_of(events, event, all));
                (event, of, excluded)
            })
            .filter(|(_, of, excluded)| order == "strict" || !of.is_empty() || *excluded)
            .collect();
        let property = question["breakdown"]["property"].as_str().unwrap_or_default();
        let value = |event: &Happened| match &event.properties[property] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        marked.sort_by_key(|(event, of, excluded)| {
            let bits: u64 = of.iter().map(|step| 1u64 << step).sum();
            (event.at, of.first().copied().unwrap_or(usize::MAX), bits, *excluded, value(event))
        });
        let mut best: Option<(Option<String>, Vec<DateTime<Utc>>)> = None;
        for (place, (first, of, _)) in marked.iter().enumerate() {
            let begins = if order == "loose" { !of.is_empty() } else { of.contains(&0) };
            if !begins || first.at < from || first.at >= to {
                continue;
            }
            let mut times = vec![first.at];
            let mut done: BTreeSet<usize> = of.iter().copied().collect();
            if order == "loose" {
                times = vec![first.at; done.len()];
            }
            for (event, of, excluded) in &marked[place + 1..] {
                if event.at - first.at > window || *excluded || times.len() == steps.len() {
                    break;
                }
                match order {
                    "loose" => {
                        for step in of {
                            if done.insert(*step) {
                                times.push(event.at);
                            }
                        }
                    }
                    _ if of.contains(&times.len()) => times.push(event.at),
                    "strict" => break,
                    _ => {}
                }
            }
            if best.as_ref().is_none_or(|(_, best)| times.len() > best.len()) {
                best = Some((value(first), times));
            }
        }
        attempts.extend(best);
    }
    let rows = |attempts: &[&(Option<String>, Vec<DateTime<Utc>>)]| -> Value {
        (0..steps.len())
            .map(|step| {
                let reached = |step: usize| attempts.iter().filter(move |(_, times)| times.len() > step);
                let users = reached(step).count();
                let before = if step == 0 { users } else { reached(step - 1).count() };
                let rate = |of: usize| if of == 0 { 0.0 } else { users as f64 / of as f64 };
                let since = |earlier: usize| {
                    let seconds = reached(step).map(|(_, times)| (times[step] - times[earlier]).num_microseconds().unwrap() as f64 / 1e6);
                    median(seconds.collect())
                };
                let (previous, start) = if step == 0 { (None, None) } else { (since(step - 1), since(0)) };
                let kind = if order == "loose" { Value::Null } else { steps[step]["event_type"].clone() };
                json!({
                    "step": step + 1, "event_type": kind, "users": users, "conversion": rate(reached(0).count()),
                    "conversion_from_previous": rate(before), "drop_off": before - users,
                    "median_seconds": previous, "median_seconds_from_start": start,
                })
            })
            .collect()
    };
    let mut values: BTreeMap<Option<String>, Vec<_>> = BTreeMap::new();
    for attempt in &attempts {
        values.entry(attempt.0.clone()).or_default().push(attempt);
    }
    let mut ranked: Vec<_> = values.into_iter().collect();
    ranked.sort_by_key(|(_, attempts)| Reverse(attempts.len()));
    let limit = question["breakdown"]["limit"].as_u64().unwrap_or(10);
    let rest = ranked.split_off(ranked.len().min(usize::try_from(limit).unwrap()));
    let mut groups: Vec<Value> = ranked
        .iter()
        .map(|(value, attempts)| json!({"value": value, "other": false, "steps": rows(attempts)}))
        .collect();
    let rest: Vec<_> = rest.into_iter().flat_map(|(_, attempts)| attempts).collect();
    if !rest.is_empty() {
        groups.push(json!({"value": null, "other": true, "steps": rows(&rest)}));
    }
    (rows(&attempts.iter().collect::<Vec<_>>()), groups.into())
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => None,
        n if n % 2 == 1 => Some(numbers[n / 2]),
        n => Some(f64::midpoint(numbers[n / 2 - 1], numbers[n / 2])),
    }
}

/// `data` of paths.
pub(crate) fn paths(
    events: &[&Happened],
    (anchor, backwards): (&str, bool),
    length: usize,
    gap: TimeDelta,
    limit: usize,
) -> Value {
    let mut taken: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (user, mut events) in by_user(events.iter().copied()) {
        events.sort_by_key(|event| (event.at, &event.kind));
        if backwards {
            events.reverse();
        }
        let mut next = 0;
        while next < events.len() {
            if events[next].kind != anchor {
                next += 1;
                continue;
            }
            let mut path = vec![events[next]];
            next += 1;
            while next < events.len()
                && path.len() < length
                && (events[next].at - path[path.len() - 1].at).abs() <= gap
            {
                path.push(events[next]);
                next += 1;
            }
            let mut kinds: Vec<&str> = path.iter().map(|event| event.kind.as_str()).collect();
            if backwards {
                kinds.reverse();
            }
            taken.entry(kinds).or_default().push(user);
        }
    }
    let users = |users: &Vec<&str>| users.iter().collect::<BTreeSet<_>>().len();
    let mut ranked: Vec<_> = taken.iter().collect();
    ranked.sort_by_key(|(_, takers)| Reverse((takers.len(), users(takers))));
    let row = |(events, takers): &(&Vec<&str>, &Vec<&str>)| json!({"events": events, "count": takers.len(), "users": users(takers)});
    ranked.iter().take(limit).map(row).collect()
}

/// The sessions of some events: user, and the events in order.
pub(crate) fn sessions<'a>(events: &[&'a Happened], gap: TimeDelta) -> Vec<Vec<&'a Happened>> {
    let mut sessions = Vec::new();
    for (_, mut events) in by_user(events.iter().copied()) {
        events.sort_by_key(|event| (event.at, &event.kind));
        let mut named: BTreeMap<&str, Vec<&Happened>> = BTreeMap::new();
        let mut nameless: Vec<Vec<&Happened>> = Vec::new();
        for event in events {
            match (&event.session, nameless.last_mut()) {
                (Some(name), _) => named.entry(name).or_default().push(event),
                (None, Some(open)) if event.at - open[open.len() - 1].at <= gap => open.push(event),
                (None, _) => nameless.push(vec![event]),
            }
        }
        sessions.extend(named.into_values());
        sessions.extend(nameless);
    }
    sessions
}

/// What is said of some sessions.
pub(crate) fn session_figures(sessions: &[&Vec<&Happened>]) -> Value {
    let lengths: Vec<f64> = sessions
        .iter()
        .map(|events| (events[events.len() - 1].at - events[0].at).num_microseconds().unwrap() as f64 / 1e6)
        .collect();
    let bounces = sessions.iter().filter(|events| events.len() == 1).count();
    let count = sessions.len();
    json!({
        "sessions": count,
        "users": sessions.iter().map(|events| &events[0].user).collect::<BTreeSet<_>>().len(),
        "events": sessions.iter().map(|events| events.len()).sum::<usize>(),
        "bounce_rate": if count == 0 { 0.0 } else { bounces as f64 / count as f64 },
        "mean_seconds": (count > 0).then(|| lengths.iter().sum::<f64>() / count as f64),
        "median_seconds": median(lengths),
    })
}

/// How many sessions have each type at one end.
pub(crate) fn ends(kinds: impl Iterator<Item = String>) -> Value {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, sessions)| Reverse(*sessions));
    ranked.iter().take(10).map(|(kind, sessions)| json!({"event_type": kind, "sessions": sessions})).collect()
}
