//! Who belongs to a cohort, read off its JSON, user by user.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};
use chrono_tz::Tz;
use serde_json::Value;

use super::filter::passes;
use crate::chronicle::Happened;

/// A history, seen from a day of a zone.
pub(crate) struct Past<'a> {
    pub(crate) history: &'a [Happened],
    pub(crate) zone: Tz,
    pub(crate) today: NaiveDate,
}

impl Past<'_> {
    pub(crate) fn members(&self, definition: &Value) -> BTreeSet<&str> {
        let users: BTreeSet<&str> = self.history.iter().map(|event| event.user.as_str()).collect();
        users.into_iter().filter(|user| self.fits(definition, user)).collect()
    }

    fn fits(&self, definition: &Value, user: &str) -> bool {
        let (rule, what) = definition.as_object().unwrap().iter().next().unwrap();
        match rule.as_str() {
            "and" => what.as_array().unwrap().iter().all(|part| self.fits(part, user)),
            "or" => what.as_array().unwrap().iter().any(|part| self.fits(part, user)),
            "not" => !self.fits(what, user),
            "users" => what.as_array().unwrap().iter().any(|name| name == user),
            _ => {
                let often = self.history.iter().filter(|event| event.user == user);
                let often = often.filter(|event| self.counts(rule, what, event)).count();
                often as u64 >= what["at_least"].as_u64().unwrap_or(1)
            }
        }
    }

    fn counts(&self, rule: &str, what: &Value, event: &Happened) -> bool {
        let date = event.at.with_timezone(&self.zone).date_naive();
        let of = |field: &str| what[field].as_str().map(|day| day.parse::<NaiveDate>().unwrap());
        let first = what["days"].as_u64().map(|days| self.today - Days::new(days - 1)).or(of("from"));
        let last = what["days"].as_u64().map(|_| self.today).or(of("to"));
        let on_time = first.is_none_or(|first| first <= date) && last.is_none_or(|last| date <= last);
        let fits = match rule {
            "had" => passes(what, event),
            _ => {
                what["event_type"].as_str().is_none_or(|kind| kind == event.kind)
                    && (what["filter"].is_null() || passes(&what["filter"], event))
            }
        };
        on_time && fits
    }
}
