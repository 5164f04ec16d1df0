//! How a period is cut into the points of a series.

use chrono::{DateTime, TimeDelta, Utc};

use crate::analytics::interval::Interval;
use crate::analytics::period::Period;
use crate::analytics::query_fault::QueryFault;
use crate::analytics::time_zone::TimeZone;

/// The most points of one series.
pub const MAX_BUCKETS: usize = 10_000;

/// The length of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// An hour on the wall clock.
    Hour,
    /// A day, a week or a month.
    Calendar(Interval),
}

impl Width {
    /// The words that questions use.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("hour", Self::Hour),
        ("day", Self::Calendar(Interval::Day)),
        ("week", Self::Calendar(Interval::Week)),
        ("month", Self::Calendar(Interval::Month)),
    ];

    /// The name as questions and answers spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Calendar(interval) => interval.as_str(),
        }
    }
}

/// A point of a series: what happened from its start to the start of the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name: the first date of its calendar interval, which may be before the period; or the instant at which its
    /// hour begins on the wall.
    pub name: String,
    /// Where it begins, at or after the beginning of the period.
    pub start: DateTime<Utc>,
}

/// Cuts `period` into buckets that cover it without hole or overlap. A calendar interval of which the period has only a
/// part is a bucket of that part.
///
/// # Errors
/// More than [`MAX_BUCKETS`].
pub fn cut(width: Width, period: Period, zone: TimeZone) -> Result<Vec<Bucket>, QueryFault> {
    let (dates, covered) = (period.dates(zone), period.instants(zone));
    let too_many = || {
        let reason = format_args!("{} would give more than {MAX_BUCKETS} points", width.as_str());
        QueryFault::new("interval", "too_many_buckets", reason)
    };
    let mut buckets = Vec::new();
    match width {
        Width::Calendar(interval) => {
            for date in interval.buckets(dates) {
                let start = zone.day_start(date).max(covered.start);
                buckets.push(Bucket { name: date.to_string(), start });
                if buckets.len() > MAX_BUCKETS {
                    return Err(too_many());
                }
            }
        }
        Width::Hour => {
            for start in hours(covered.start, covered.end, zone) {
                buckets.push(Bucket { name: zone.wall_time(start).to_rfc3339(), start });
                if buckets.len() > MAX_BUCKETS {
                    return Err(too_many());
                }
            }
        }
    }
    Ok(buckets)
}

/// The instants at which an hour begins: `from`, and every later one at which the hour on the wall or its distance from
/// UTC becomes another. An hour that comes twice is two, and one that the clocks skip is none.
fn hours(from: DateTime<Utc>, to: DateTime<Utc>, zone: TimeZone) -> impl Iterator<Item = DateTime<Utc>> {
    // Clocks change, and hours begin, at whole quarters of an hour, the two odd zones of the seventies aside: there an
    // hour begins with the first quarter that shows it.
    let step = crate::rollup::BUCKET;
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let start = next?;
        let hour = zone.wall_hour(start);
        let mut probe = crate::rollup::bucket_of(start) + step;
        while probe < to && zone.wall_hour(probe) == hour && probe - start < TimeDelta::hours(3) {
            probe += step;
        }
        next = (probe < to).then_some(probe);
        Some(start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(width: Width, zone: &str, from: &str, to: &str) -> Vec<String> {
        let period = Period::parse(from, to).unwrap();
        let buckets = cut(width, period, TimeZone::parse(zone).unwrap()).unwrap();
        buckets.into_iter().map(|bucket| bucket.name).collect()
    }

    #[test]
    fn a_day_has_as_many_hours_as_its_clock_shows() {
        let hours = |zone, day| names(Width::Hour, zone, day, day);
        assert_eq!(hours("Asia/Kolkata", "2026-11-01").len(), 24);
        assert_eq!(hours("Asia/Kolkata", "2026-11-01")[1], "2026-11-01T01:00:00+05:30");
        let autumn = hours("America/New_York", "2026-11-01");
        assert_eq!(autumn.len(), 25);
        assert_eq!(autumn[1..3], ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00"]);
        let spring = hours("America/New_York", "2026-03-08");
        assert_eq!(spring.len(), 23);
        assert_eq!(spring[1..3], ["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00"]);
        // Half an hour back, from 2:00 to 1:30.
        assert_eq!(
            hours("Australia/Lord_Howe", "2026-04-05")[1..4],
            ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30",]
        );
    }

    #[test]
    fn a_bucket_at_the_edge_is_cut_and_keeps_its_name() {
        let week = Width::Calendar(Interval::Week);
        assert_eq!(names(week, "UTC", "2026-11-04", "2026-11-09"), ["2026-11-02", "2026-11-09"]);
        let period = Period::parse("2026-11-04", "2026-11-09").unwrap();
        let buckets = cut(week, period, TimeZone::UTC).unwrap();
        assert_eq!(buckets[0].start.to_rfc3339(), "2026-11-04T00:00:00+00:00");
    }

    #[test]
    fn hours_between_instants_begin_with_the_first() {
        assert_eq!(
            names(Width::Hour, "UTC", "2026-11-01T10:20:00Z", "2026-11-01T12:00:00Z"),
            ["2026-11-01T10:20:00+00:00", "2026-11-01T11:00:00+00:00",]
        );
    }

    #[test]
    fn there_is_a_limit() {
        let period = Period::parse("2020-01-01", "2026-01-01").unwrap();
        assert_eq!(cut(Width::Hour, period, TimeZone::UTC).unwrap_err().code, "too_many_buckets");
    }
}
