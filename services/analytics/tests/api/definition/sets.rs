//! Lifecycle and stickiness from their definitions, user by user.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Dated, Kind, first_date, number};

fn intervals_of_users<'a>(
    events: &[Dated<'a>],
    interval: &str,
    kind: Kind<'_>,
) -> BTreeMap<&'a str, BTreeSet<i32>> {
    let mut users: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for dated in events.iter().filter(|dated| kind.is_none_or(|kind| kind == dated.event.kind)) {
        users.entry(&dated.event.user).or_default().insert(number(interval, dated.date));
    }
    users
}

/// `data` of lifecycle.
pub(crate) fn lifecycle(
    events: &[Dated<'_>],
    (from, to): (NaiveDate, NaiveDate),
    today: NaiveDate,
    interval: &str,
    kind: Kind<'_>,
) -> Value {
    let users = intervals_of_users(events, interval, kind);
    (number(interval, from)..=number(interval, to))
        .map(|point| {
            let date = first_date(interval, point);
            let (mut new, mut returning, mut resurrecting, mut dormant) = (0, 0, 0, 0);
            if date <= today {
                for active in users.values() {
                    match (active.contains(&point), active.contains(&(point - 1))) {
                        (true, true) => returning += 1,
                        (true, false) if active.first() == Some(&point) => new += 1,
                        (true, false) => resurrecting += 1,
                        (false, true) => dormant += 1,
                        (false, false) => {}
                    }
                }
            }
            json!({
                "date": date, "new": new, "returning": returning, "resurrecting": resurrecting, "dormant": dormant,
                "complete": point < number(interval, today),
            })
        })
        .collect()
}

/// `data` of stickiness.
pub(crate) fn stickiness(
    events: &[Dated<'_>],
    (from, to): (NaiveDate, NaiveDate),
    interval: &str,
    kind: Kind<'_>,
) -> Value {
    let within: Vec<Dated<'_>> =
        events.iter().filter(|dated| from <= dated.date && dated.date <= to).copied().collect();
    let users = intervals_of_users(&within, interval, kind);
    let intervals = usize::try_from(number(interval, to) - number(interval, from) + 1).unwrap();
    (1..=intervals)
        .map(|count| {
            let users = users.values().filter(|active| active.len() == count).count();
            json!({"intervals": count, "users": users})
        })
        .collect()
}
