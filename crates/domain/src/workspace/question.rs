//! Questions that are kept, and asked again and again.

use chrono::{DateTime, Days, DurationRound, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::analytics::query::Query;
use crate::analytics::query_fault::QueryFault;
use crate::analytics::time_zone::TimeZone;

/// A question as `POST /api/v1/query` takes it, or with `last` in place of `from` and `to`: `30d`, `12w` (local days, the
/// present one included) or `24h` (up to the present minute).
#[derive(Clone, Debug, PartialEq)]
pub struct KeptQuestion(Map<String, Value>);

/// How far back `last` reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Hours(u32),
    Days(u32),
}

/// The most days that `last` covers.
const MAX_DAYS: u32 = 3_650;

impl Last {
    fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let count: u32 = count.parse().ok().filter(|_| count.bytes().all(|b| b.is_ascii_digit()))?;
        let (last, days) = match unit {
            "h" => (Self::Hours(count), count / 24),
            "d" => (Self::Days(count), count),
            "w" => (Self::Days(count.checked_mul(7)?), count.checked_mul(7)?),
            _ => return None,
        };
        (count > 0 && days <= MAX_DAYS).then_some(last)
    }

    /// `from` and `to`.
    fn until(self, zone: TimeZone, now: DateTime<Utc>) -> (String, String) {
        match self {
            Self::Days(count) => {
                let today = zone.local_day(now);
                let first = today.checked_sub_days(Days::new(u64::from(count - 1))).unwrap_or(today);
                (first.to_string(), today.to_string())
            }
            Self::Hours(count) => {
                let to = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
                let text = |instant: DateTime<Utc>| instant.to_rfc3339_opts(SecondsFormat::Secs, true);
                (text(to - TimeDelta::hours(count.into())), text(to))
            }
        }
    }
}

impl KeptQuestion {
    /// Checks that it could be asked.
    ///
    /// # Errors
    /// Names the field that is absent, unknown or cannot be used, by its path.
    pub fn parse(value: &Value) -> Result<Self, QueryFault> {
        let Value::Object(fields) = value else {
            return Err(QueryFault::new("", "invalid", "must be an object"));
        };
        let kept = Self(fields.clone());
        // Any moment will do: `last` reaches back as far whenever it is.
        kept.at(TimeZone::UTC, DateTime::UNIX_EPOCH + TimeDelta::days(20_000)).and_then(Query::parse)?;
        Ok(kept)
    }

    /// What it asks at `now` in a project with this zone, as the query language has it.
    ///
    /// # Errors
    /// When `last` or `timezone` cannot be used.
    pub fn at(&self, project: TimeZone, now: DateTime<Utc>) -> Result<Map<String, Value>, QueryFault> {
        let mut fields = self.0.clone();
        let Some(last) = fields.remove("last") else { return Ok(fields) };
        if let Some(both) = ["from", "to"].into_iter().find(|end| fields.contains_key(*end)) {
            return Err(QueryFault::new(both, "invalid", "must be absent where there is `last`"));
        }
        let last = last.as_str().and_then(Last::parse).ok_or_else(|| {
            QueryFault::new(
                "last",
                "invalid",
                "must be a number of days, weeks or hours, such as 30d, 12w or 24h",
            )
        })?;
        let zone = match fields.get("timezone").and_then(Value::as_str) {
            // A name that is none is refused where the question is read.
            Some(name) => TimeZone::parse(name).unwrap_or(project),
            None => project,
        };
        let (from, to) = last.until(zone, now);
        fields.insert("from".to_owned(), from.into());
        fields.insert("to".to_owned(), to.into());
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ends(question: &Value, zone: &str, now: &str) -> (Value, Value) {
        let kept = KeptQuestion::parse(question).unwrap();
        let asked = kept.at(zone.parse().unwrap(), now.parse().unwrap()).unwrap();
        (asked["from"].clone(), asked["to"].clone())
    }

    #[test]
    fn last_ends_with_the_present_day_of_the_zone() {
        let question = json!({"kind": "active_users", "last": "7d"});
        let late = "2026-11-20T23:30:00Z";
        assert_eq!(ends(&question, "UTC", late), (json!("2026-11-14"), json!("2026-11-20")));
        assert_eq!(ends(&question, "Europe/Paris", late), (json!("2026-11-15"), json!("2026-11-21")));
        let own_zone = json!({"kind": "active_users", "last": "1w", "timezone": "Europe/Paris"});
        assert_eq!(ends(&own_zone, "UTC", late), (json!("2026-11-15"), json!("2026-11-21")));
    }

    #[test]
    fn hours_end_with_the_present_minute() {
        let question = json!({"kind": "top_events", "last": "24h"});
        let expected = (json!("2026-11-19T12:34:00Z"), json!("2026-11-20T12:34:00Z"));
        assert_eq!(ends(&question, "UTC", "2026-11-20T12:34:56Z"), expected);
    }

    #[test]
    fn what_could_not_be_asked_is_refused_by_field() {
        let top = |more: Value| {
            let mut question = json!({"kind": "top_events"});
            question.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            KeptQuestion::parse(&question).unwrap_err().field
        };
        for last in ["", "d", "0d", "-1d", "+1d", "1m", "7 d", "4000d", "99999999999d", "613566757w", "é"] {
            assert_eq!(top(json!({"last": last})), "last", "{last:?}");
        }
        assert_eq!(top(json!({"last": 7})), "last");
        assert_eq!(top(json!({"last": "7d", "from": "2026-11-01"})), "from");
        assert_eq!(top(json!({})), "from");
        assert_eq!(top(json!({"last": "7d", "timezone": "Mars"})), "timezone");
        assert_eq!(KeptQuestion::parse(&json!("SELECT 1")).unwrap_err().field, "");
    }
}
