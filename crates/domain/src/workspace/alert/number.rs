//! An insight's number: what its question says of the last interval that has ended.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Deserialize;

use super::Reading;
use crate::analytics::interval::Interval;
use crate::analytics::query::{Query, Question};
use crate::analytics::time_zone::TimeZone;

/// A question that says no single number of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must ask for active users, or for the trend of one series without breakdown or formulas")]
pub struct NoNumber;

/// That a question has a number.
///
/// # Errors
/// When it has none, or many.
pub fn check(query: &Query) -> Result<(), NoNumber> {
    match &query.question {
        Question::ActiveUsers(_) => Ok(()),
        Question::Trends(trends)
            if trends.series.len() == 1 && trends.formulas.is_empty() && trends.breakdown.is_none() =>
        {
            Ok(())
        }
        _ => Err(NoNumber),
    }
}

/// The answers that have a number, as they are written.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Trends { interval: String, buckets: Vec<String>, data: Vec<Line> },
    ActiveUsers { data: Vec<Point> },
}

#[derive(Deserialize)]
struct Line {
    values: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct Point {
    date: NaiveDate,
    users: f64,
}

/// Reads the number at `now` from the JSON of an answer; `zone` is that of the answer's dates.
///
/// # Errors
/// When it is no answer of such a question.
pub fn read(answer: &[u8], zone: TimeZone, now: DateTime<Utc>) -> Result<Reading, serde_json::Error> {
    let today = zone.local_day(now);
    let ended: Vec<Option<f64>> = match serde_json::from_slice(answer)? {
        Answer::Trends { interval, buckets, mut data } => {
            let values = data.pop().map(|line| line.values).unwrap_or_default();
            let points = buckets.iter().zip(values);
            let ended = points.filter(|(bucket, _)| has_ended(&interval, bucket, today, now));
            ended.map(|(_, value)| value).collect()
        }
        Answer::ActiveUsers { data } => {
            data.into_iter().filter(|point| point.date < today).map(|point| Some(point.users)).collect()
        }
    };
    let mut latest = ended.into_iter().rev();
    Ok(Reading { number: latest.next().flatten(), previous: latest.next().flatten() })
}

/// Whether the interval that begins there has ended. What cannot be read has not: the broken answer shows as no data.
fn has_ended(interval: &str, bucket: &str, today: NaiveDate, now: DateTime<Utc>) -> bool {
    match (interval.parse::<Interval>(), bucket.parse::<NaiveDate>()) {
        (Ok(interval), Ok(start)) => interval.end(start) <= today,
        _ => DateTime::parse_from_rfc3339(bucket).is_ok_and(|start| start + TimeDelta::hours(1) <= now),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn reading(answer: &Value, now: &str) -> (Option<f64>, Option<f64>) {
        let Reading { number, previous } =
            read(answer.to_string().as_bytes(), "Europe/Paris".parse().unwrap(), now.parse().unwrap())
                .unwrap();
        (number, previous)
    }

    #[test]
    fn the_interval_that_has_not_ended_does_not_count() {
        let trend = json!({
            "from": "2026-11-18", "to": "2026-11-20", "timezone": "Europe/Paris", "interval": "day",
            "buckets": ["2026-11-18", "2026-11-19", "2026-11-20"],
            "data": [{"series": "A", "total": 6, "values": [1, 2.5, 3]}],
        });
        assert_eq!(reading(&trend, "2026-11-20T22:59:59Z"), (Some(2.5), Some(1.0)));
        assert_eq!(
            reading(&trend, "2026-11-20T23:00:00Z"),
            (Some(3.0), Some(2.5)),
            "it is tomorrow in Paris"
        );
        assert_eq!(reading(&trend, "2026-11-18T12:00:00Z"), (None, None));

        let hours = json!({
            "interval": "hour", "buckets": ["2026-11-20T12:00:00+01:00", "2026-11-20T13:00:00+01:00"],
            "data": [{"series": "A", "total": 6, "values": [null, 4]}],
        });
        assert_eq!(reading(&hours, "2026-11-20T12:59:00Z"), (None, None));
        assert_eq!(reading(&hours, "2026-11-20T13:00:00Z"), (Some(4.0), None));

        let weeks = json!({
            "interval": "week", "buckets": ["2026-11-09", "2026-11-16"], "data": [{"values": [7, 8]}],
        });
        assert_eq!(reading(&weeks, "2026-11-20T12:00:00Z"), (Some(7.0), None));

        let users = json!({"data": [{"date": "2026-11-19", "users": 5}, {"date": "2026-11-20", "users": 2}]});
        assert_eq!(reading(&users, "2026-11-20T12:00:00Z"), (Some(5.0), None));
    }

    #[test]
    fn a_question_has_one_number_or_is_refused() {
        let checked = |more: Value| {
            let mut query = json!({"from": "2026-11-01", "to": "2026-11-20"});
            query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            check(&Query::parse(query.as_object().unwrap().clone()).unwrap())
        };
        assert_eq!(checked(json!({"kind": "active_users"})), Ok(()));
        assert_eq!(checked(json!({"kind": "trends", "event_type": "paid"})), Ok(()));
        assert_eq!(
            checked(json!({"kind": "trends", "event_type": "paid", "breakdown": {"property": "plan"}})),
            Err(NoNumber)
        );
        assert_eq!(checked(json!({"kind": "top_events"})), Err(NoNumber));
    }
}
