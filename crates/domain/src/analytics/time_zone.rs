//! Where a day begins.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeZone as _, Timelike, Utc};
use chrono_tz::{GapInfo, Tz};
use serde::{Deserialize, Serialize};

/// An IANA time zone, which cuts time into local days.
///
/// A day starts at the earliest instant whose wall clock shows that date or a later one. So days follow each other
/// without hole or overlap, whatever the clocks do: a day whose midnight is skipped starts when the clock resumes, one
/// whose midnight comes twice starts at the first, and a date that a zone leaves out altogether is an empty day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub struct TimeZone(Tz);

/// A text that names no IANA time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timezone {0:?} is not an IANA time zone such as \"UTC\" or \"Europe/Paris\"")]
pub struct UnknownTimeZone(pub String);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(Tz::UTC);

    /// Parses an IANA name, in its exact spelling.
    ///
    /// # Errors
    /// When there is no such zone.
    pub fn parse(name: &str) -> Result<Self, UnknownTimeZone> {
        name.parse().map(Self).map_err(|_nothing_more_to_say| UnknownTimeZone(name.to_owned()))
    }

    /// The IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The day that holds `instant`: the one `d` with `day_start(d) <= instant < day_start(d + 1)`.
    ///
    /// It is the date on the wall clock, except after a clock was put back across midnight: a day that has begun does
    /// not end to begin again.
    #[must_use]
    pub fn local_day(self, instant: DateTime<Utc>) -> NaiveDate {
        let wall = instant.with_timezone(&self.0).date_naive();
        match wall.succ_opt() {
            Some(next) if self.day_start(next) <= instant => next,
            _ => wall,
        }
    }

    /// The instant as a clock on the wall shows it.
    #[must_use]
    pub fn wall_time(self, instant: DateTime<Utc>) -> DateTime<FixedOffset> {
        instant.with_timezone(&self.0).fixed_offset()
    }

    /// What tells one hour on the wall from the next: the hour, and the clock's seconds ahead of UTC.
    #[must_use]
    pub fn wall_hour(self, instant: DateTime<Utc>) -> (u32, i32) {
        let wall = self.wall_time(instant);
        (wall.hour(), wall.offset().local_minus_utc())
    }

    /// The first instant of `day`. Never decreases from one day to the next; equal for a day that the zone skipped.
    #[must_use]
    pub fn day_start(self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.and_time(NaiveTime::MIN);
        self.0
            .from_local_datetime(&midnight)
            .earliest()
            .or_else(|| GapInfo::new(&midnight, &self.0)?.end)
            // Only the two ends of chrono's calendar have neither a midnight nor a gap around it.
            .map_or_else(|| midnight.and_utc(), |start| start.with_timezone(&Utc))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for TimeZone {
    type Err = UnknownTimeZone;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::parse(name)
    }
}

impl TryFrom<String> for TimeZone {
    type Error = UnknownTimeZone;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<TimeZone> for &'static str {
    fn from(zone: TimeZone) -> Self {
        zone.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(zone: &str, day: &str) -> String {
        TimeZone::parse(zone).unwrap().day_start(day.parse().unwrap()).to_rfc3339()
    }

    #[test]
    fn a_day_starts_at_local_midnight() {
        assert_eq!(start("UTC", "2026-11-01"), "2026-11-01T00:00:00+00:00");
        assert_eq!(start("Asia/Kolkata", "2026-11-01"), "2026-10-31T18:30:00+00:00");
    }

    #[test]
    fn a_day_without_midnight_starts_when_the_clock_resumes() {
        assert_eq!(start("America/Sao_Paulo", "2018-11-04"), "2018-11-04T03:00:00+00:00");
        assert_eq!(start("Asia/Beirut", "2022-03-27"), "2022-03-26T22:00:00+00:00");
    }

    #[test]
    fn a_day_with_two_midnights_starts_at_the_first() {
        assert_eq!(start("America/Havana", "2026-11-01"), "2026-11-01T04:00:00+00:00");
    }

    #[test]
    fn a_skipped_date_is_an_empty_day() {
        assert_eq!(start("Pacific/Apia", "2011-12-30"), "2011-12-30T10:00:00+00:00");
        assert_eq!(start("Pacific/Apia", "2011-12-31"), "2011-12-30T10:00:00+00:00");
    }

    #[test]
    fn a_day_that_has_begun_does_not_end_to_begin_again() {
        // In St John's the clock went from 00:01 on 2 November back to 23:01 on the 1st.
        let zone = TimeZone::parse("America/St_Johns").unwrap();
        let before_the_change: DateTime<Utc> = "2008-11-02T02:30:30Z".parse().unwrap();
        let after_it: DateTime<Utc> = "2008-11-02T02:40:00Z".parse().unwrap();
        let day = NaiveDate::from_ymd_opt(2008, 11, 2).unwrap();
        assert_eq!(zone.local_day(before_the_change), day);
        assert_eq!(zone.local_day(after_it), day);
    }

    #[test]
    fn an_unknown_zone_is_named_in_the_error() {
        let error = TimeZone::parse("Mars/Olympus").unwrap_err();
        assert!(error.to_string().contains("\"Mars/Olympus\""), "{error}");
    }

    #[test]
    fn json_holds_the_iana_name() {
        let zone: TimeZone = serde_json::from_str("\"Asia/Kolkata\"").unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"Asia/Kolkata\"");
        assert!(serde_json::from_str::<TimeZone>("\"Asia/Nowhere\"").is_err());
    }
}
