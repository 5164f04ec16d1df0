//! The time that a question covers, as its `from` and `to` say it.

use std::ops::Range;

use chrono::{DateTime, Datelike, Months, NaiveDate, SecondsFormat, TimeDelta, Utc};

use crate::analytics::query_error::QueryError;
use crate::analytics::range::DateRange;
use crate::analytics::time_zone::TimeZone;

/// The most years that one question may cover.
pub const MAX_YEARS: u32 = 10;

/// The time that a question covers: whole days of whatever zone the question is asked in, or an exact stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// Dates, both ends included.
    Dates(DateRange),
    /// Instants, `to` excluded.
    Instants {
        /// The first instant covered.
        from: DateTime<Utc>,
        /// The first instant after it that is not; later than `from`.
        to: DateTime<Utc>,
    },
}

impl Period {
    /// Parses the two ends: two dates (`2026-11-01`) or two RFC 3339 instants.
    ///
    /// # Errors
    /// Ends that are neither, of different kinds, outside the years 1970 to 9999, reversed, or more than
    /// [`MAX_YEARS`] apart. Two equal dates are a day; two equal instants cover nothing and count as reversed.
    pub fn parse(from: &str, to: &str) -> Result<Self, QueryError> {
        let reversed = || QueryError::Reversed { from: from.to_owned(), to: to.to_owned() };
        match (End::parse("from", from)?, End::parse("to", to)?) {
            (End::Date(first), End::Date(last)) => {
                let range = DateRange::new(first, last).ok_or_else(reversed)?;
                at_most_the_longest(first, range.end())?;
                Ok(Self::Dates(range))
            }
            (End::Instant(start), End::Instant(end)) => {
                if start >= end {
                    return Err(reversed());
                }
                at_most_the_longest(start.naive_utc(), end.naive_utc())?;
                Ok(Self::Instants { from: start, to: end })
            }
            _ => Err(QueryError::MixedPeriod),
        }
    }

    /// The period of the same length that ends where this one begins: as many dates, or as much time.
    #[must_use]
    pub fn previous(self) -> Self {
        match self {
            Self::Dates(range) => {
                let days = range.end().signed_duration_since(range.from());
                let earlier = |date: NaiveDate| date.checked_sub_signed(days).unwrap_or(NaiveDate::MIN);
                Self::Dates(DateRange::between(earlier(range.from()), earlier(range.to())))
            }
            Self::Instants { from, to } => Self::Instants { from: from - (to - from), to: from },
        }
    }

    /// Its beginning, as `from` says it.
    #[must_use]
    pub fn start_text(self) -> String {
        match self {
            Self::Dates(range) => range.from().to_string(),
            Self::Instants { from, .. } => from.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
    }

    /// Its end, as `to` says it.
    #[must_use]
    pub fn end_text(self) -> String {
        match self {
            Self::Dates(range) => range.to().to_string(),
            Self::Instants { to, .. } => to.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        }
    }

    /// The days of `zone` that it touches, wholly or in part.
    #[must_use]
    pub fn dates(self, zone: TimeZone) -> DateRange {
        match self {
            Self::Dates(range) => range,
            Self::Instants { from, to } => {
                DateRange::between(zone.local_day(from), zone.local_day(to - TimeDelta::nanoseconds(1)))
            }
        }
    }

    /// The days of `zone` that it consists of; nothing when it cuts a day in two, so that sets of whole days cannot
    /// answer for it.
    #[must_use]
    pub fn whole_days(self, zone: TimeZone) -> Option<DateRange> {
        let range = self.dates(zone);
        (Self::Dates(range).instants(zone) == self.instants(zone)).then_some(range)
    }

    /// The instants it covers, end excluded, when its dates are days of `zone`.
    #[must_use]
    pub fn instants(self, zone: TimeZone) -> Range<DateTime<Utc>> {
        match self {
            Self::Dates(range) => zone.day_start(range.from())..zone.day_start(range.end()),
            Self::Instants { from, to } => from..to,
        }
    }
}

enum End {
    Date(NaiveDate),
    Instant(DateTime<Utc>),
}

impl End {
    fn parse(field: &'static str, text: &str) -> Result<Self, QueryError> {
        let end = match text.parse::<NaiveDate>() {
            // chrono also reads 2026-1-1; there is one spelling of a date, so that there is one answer to cache.
            Ok(date) if date.to_string() == text => Self::Date(date),
            _ => match DateTime::parse_from_rfc3339(text) {
                Ok(instant) => Self::Instant(instant.to_utc()),
                Err(_) => return Err(QueryError::NotATime { field, value: text.to_owned() }),
            },
        };
        let year = match end {
            Self::Date(date) => date.year(),
            Self::Instant(instant) => instant.year(),
        };
        if (1970..=9999).contains(&year) {
            Ok(end)
        } else {
            Err(QueryError::OutsideCalendar { field, value: text.to_owned() })
        }
    }
}

fn at_most_the_longest<T>(start: T, end: T) -> Result<(), QueryError>
where
    T: PartialOrd + std::ops::Add<Months, Output = T>,
{
    if end <= start + Months::new(12 * MAX_YEARS) { Ok(()) } else { Err(QueryError::PeriodTooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(from: &str, to: &str) -> (&'static str, &'static str) {
        let error = Period::parse(from, to).unwrap_err();
        (error.field(), error.code())
    }

    #[test]
    fn dates_include_both_ends() {
        let zone = TimeZone::parse("Asia/Kolkata").unwrap();
        let period = Period::parse("2026-11-01", "2026-11-02").unwrap();
        let covered = period.instants(zone);
        assert_eq!(covered.start.to_rfc3339(), "2026-10-31T18:30:00+00:00");
        assert_eq!(covered.end.to_rfc3339(), "2026-11-02T18:30:00+00:00");
        assert_eq!(period.dates(zone).days().count(), 2);
    }

    #[test]
    fn instants_exclude_their_end() {
        let period = Period::parse("2026-11-01T00:00:00Z", "2026-11-02T02:00:00+02:00").unwrap();
        assert_eq!(
            period.dates(TimeZone::UTC),
            DateRange::new(day("2026-11-01"), day("2026-11-01")).unwrap()
        );
        assert_eq!(period.whole_days(TimeZone::UTC), Some(period.dates(TimeZone::UTC)));
        assert_eq!(period.whole_days(TimeZone::parse("Asia/Kolkata").unwrap()), None);
    }

    #[test]
    fn every_mistake_names_its_field() {
        assert_eq!(refused("yesterday", "2026-11-01"), ("from", "not_a_time"));
        assert_eq!(refused("2026-11-01", "2026-11-31"), ("to", "not_a_time"));
        assert_eq!(refused("2026-1-1", "2026-11-01"), ("from", "not_a_time"));
        assert_eq!(refused("2026-11-01T00:00:00", "2026-11-02T00:00:00Z"), ("from", "not_a_time"));
        assert_eq!(refused("2026-11-01", "2026-11-02T00:00:00Z"), ("to", "mixed_period"));
        assert_eq!(refused("2026-11-02", "2026-11-01"), ("from", "reversed_period"));
        assert_eq!(refused("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"), ("from", "reversed_period"));
        assert_eq!(refused("1969-12-31", "1970-01-01"), ("from", "outside_calendar"));
        assert_eq!(refused("2026-11-01", "+10000-01-01"), ("to", "outside_calendar"));
        assert_eq!(refused("2016-01-01", "2026-01-01"), ("to", "period_too_long"));
    }

    #[test]
    fn ten_years_to_the_day_are_accepted() {
        assert!(Period::parse("2016-01-01", "2025-12-31").is_ok());
        assert!(Period::parse("2016-01-01T00:00:00Z", "2026-01-01T00:00:00Z").is_ok());
        assert!(Period::parse("9999-01-01", "9999-12-31").is_ok());
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }
}
