//! Calendar intervals: how time is cut into buckets.

use std::fmt;
use std::iter;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::analytics::query_error::QueryError;
use crate::analytics::range::DateRange;

/// A calendar interval. A bucket is one such interval, named by its first date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// A date.
    #[default]
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Interval {
    /// The name as parameters and answers spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first date of the bucket that holds `date`.
    #[must_use]
    pub fn start_of(self, date: NaiveDate) -> NaiveDate {
        let days_before = match self {
            Self::Day => 0,
            Self::Week => date.weekday().num_days_from_monday(),
            Self::Month => date.day0(),
        };
        date.checked_sub_days(Days::new(days_before.into())).unwrap_or(NaiveDate::MIN)
    }

    /// The bucket `count` buckets after the one that starts on `start`.
    #[must_use]
    pub fn advance(self, start: NaiveDate, count: u32) -> NaiveDate {
        match self {
            Self::Day => start.checked_add_days(Days::new(count.into())),
            Self::Week => start.checked_add_days(Days::new(7 * u64::from(count))),
            Self::Month => start.checked_add_months(Months::new(count)),
        }
        .unwrap_or(NaiveDate::MAX)
    }

    /// The date after the last of the bucket that starts on `start`, which is where the next bucket starts.
    #[must_use]
    pub fn end(self, start: NaiveDate) -> NaiveDate {
        self.advance(start, 1)
    }

    /// The starts of all buckets that share a date with `range`. The first may start before the range, the last may
    /// end after it.
    pub fn buckets(self, range: DateRange) -> impl Iterator<Item = NaiveDate> {
        iter::successors(Some(self.start_of(range.from())), move |start| {
            let next = self.end(*start);
            (*start < next && next <= range.to()).then_some(next)
        })
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Interval {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "day" => Ok(Self::Day),
            "week" => Ok(Self::Week),
            "month" => Ok(Self::Month),
            _ => Err(QueryError::UnknownWord {
                field: "interval",
                value: text.to_owned(),
                expected: "day, week, month",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(interval: Interval, from: &str, to: &str) -> Vec<String> {
        let range = DateRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap();
        interval.buckets(range).map(|start| start.to_string()).collect()
    }

    #[test]
    fn days_are_themselves() {
        assert_eq!(
            buckets(Interval::Day, "2028-02-28", "2028-03-01"),
            ["2028-02-28", "2028-02-29", "2028-03-01"]
        );
    }

    #[test]
    fn weeks_start_on_monday() {
        // 1 November 2026 is a Sunday.
        assert_eq!(
            buckets(Interval::Week, "2026-11-01", "2026-11-09"),
            ["2026-10-26", "2026-11-02", "2026-11-09"]
        );
    }

    #[test]
    fn months_are_the_calendar_s() {
        assert_eq!(
            buckets(Interval::Month, "2026-12-31", "2027-02-01"),
            ["2026-12-01", "2027-01-01", "2027-02-01"]
        );
    }

    #[test]
    fn the_end_of_the_calendar_ends_the_buckets() {
        let last = NaiveDate::MAX;
        assert_eq!(Interval::Day.buckets(DateRange::new(last, last).unwrap()).count(), 1);
    }
}
