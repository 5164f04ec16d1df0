//! Which store answers.
//!
//! The roll-ups know whole days of a zone (who) and whole quarters of an hour (how often); the events know
//! everything, more slowly. A stretch of time is parted here into what a roll-up holds and the rest, and nobody else
//! decides it. Sets and counts add up over disjoint stretches, so the parts together are as exact as the events alone.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Utc};
use millrace_domain::analytics::period::Period;
use millrace_domain::analytics::range::DateRange;
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::rollup::{BUCKET, bucket_of};

type Instants = Range<DateTime<Utc>>;

/// What an answer was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The roll-ups alone.
    #[default]
    RollUp,
    /// The events, for all of the answer or for its edges.
    Raw,
}

impl Source {
    /// The name used in headers and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RollUp => "rollup",
            Self::Raw => "raw",
        }
    }
}

/// A stretch of time, parted by who answers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted<Held> {
    /// What a roll-up holds of it.
    pub held: Option<Held>,
    /// What is left for the events: stretches that do not overlap, none of them empty.
    pub rest: Vec<Instants>,
}

impl<Held> Parted<Held> {
    /// Nothing is held of it: what matters of the events only they themselves know.
    #[must_use]
    pub fn of_events(instants: &Instants) -> Self {
        Self { held: None, rest: all_of(instants) }
    }
}

/// Who was active within `instants` at all: whole days of the zone of the `sets` are held, whatever zone was asked for.
#[must_use]
pub fn users(sets: Option<TimeZone>, instants: &Instants) -> Parted<DateRange> {
    let Some(zone) = sets else { return Parted::of_events(instants) };
    let first = first_day_from(zone, instants.start);
    let end = zone.local_day(instants.end);
    let held = end.pred_opt().and_then(|last| DateRange::new(first, last));
    let rest = match held {
        Some(days) => around(instants, &(zone.day_start(days.from())..zone.day_start(days.end()))),
        None => all_of(instants),
    };
    Parted { held, rest }
}

/// Who was active on each day of `zone` within `instants`: held when the days of the `sets` begin when these do.
#[must_use]
pub fn days(sets: Option<TimeZone>, zone: TimeZone, instants: &Instants) -> Parted<DateRange> {
    let days = Period::Instants { from: instants.start, to: instants.end }.dates(zone);
    let alike =
        |held: &TimeZone| *held == zone || days.days().all(|day| held.day_start(day) == zone.day_start(day));
    users(sets.filter(alike), instants)
}

/// Who was active at any time before `end`: held are all days of the `sets` before the one returned.
#[must_use]
pub fn history(sets: Option<TimeZone>, end: DateTime<Utc>) -> Parted<NaiveDate> {
    let Some(zone) = sets else { return Parted::of_events(&(DateTime::UNIX_EPOCH..end)) };
    let day = zone.local_day(end);
    Parted { held: Some(day), rest: all_of(&(zone.day_start(day)..end)) }
}

/// How many events there were within `instants`: whole buckets are held.
#[must_use]
pub fn counts(instants: &Instants) -> Parted<Instants> {
    let start = bucket_of(instants.start);
    let first = if start == instants.start { start } else { start + BUCKET };
    let buckets = first..bucket_of(instants.end);
    match nonempty(buckets) {
        Some(buckets) => Parted { rest: around(instants, &buckets), held: Some(buckets) },
        None => Parted { held: None, rest: all_of(instants) },
    }
}

/// The first day that starts at or after `instant`.
fn first_day_from(zone: TimeZone, instant: DateTime<Utc>) -> NaiveDate {
    let day = zone.local_day(instant);
    if zone.day_start(day) == instant { day } else { day.succ_opt().unwrap_or(day) }
}

fn all_of(instants: &Instants) -> Vec<Instants> {
    nonempty(instants.clone()).into_iter().collect()
}

/// What of `whole` lies before and after `middle`.
fn around(whole: &Instants, middle: &Instants) -> Vec<Instants> {
    [whole.start..middle.start, middle.end..whole.end].into_iter().filter_map(nonempty).collect()
}

fn nonempty(instants: Instants) -> Option<Instants> {
    (instants.start < instants.end).then_some(instants)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::parse(name).unwrap()
    }

    fn instants(from: &str, to: &str) -> Instants {
        from.parse().unwrap()..to.parse().unwrap()
    }

    fn dates(from: &str, to: &str) -> Option<DateRange> {
        DateRange::new(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn whole_days_of_the_project_are_held() {
        let kolkata = zone("Asia/Kolkata");
        let asked = instants("2026-10-31T18:30:00Z", "2026-11-02T18:30:00Z");
        let parted = days(Some(kolkata), kolkata, &asked);
        assert_eq!(parted, Parted { held: dates("2026-11-01", "2026-11-02"), rest: vec![] });
    }

    #[test]
    fn nothing_is_while_the_sets_are_of_no_zone() {
        let asked = instants("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z");
        let unheld = Parted { held: None, rest: vec![asked.clone()] };
        assert_eq!(days(None, TimeZone::UTC, &asked), unheld);
        assert_eq!(users(None, &asked), unheld);
        let before = DateTime::UNIX_EPOCH..asked.start;
        assert_eq!(history(None, asked.start), Parted { held: None, rest: vec![before] });
    }

    #[test]
    fn the_days_of_another_zone_are_not() {
        let asked = instants("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z");
        let parted = days(Some(zone("Asia/Kolkata")), TimeZone::UTC, &asked);
        assert_eq!(parted, Parted { held: None, rest: vec![asked] });
    }

    #[test]
    fn a_zone_under_another_name_is_the_same_zone() {
        let asked = instants("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z");
        let held = dates("2026-11-01", "2026-11-02");
        assert_eq!(days(Some(TimeZone::UTC), zone("Africa/Accra"), &asked), Parted { held, rest: vec![] });
        // Alike in winter, an hour apart from the last Sunday of March, a day of 23 hours in London.
        let london = zone("Europe/London");
        let sunday = instants("2026-03-28T00:00:00Z", "2026-03-29T23:00:00Z");
        let rest = vec![instants("2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z")];
        let held = dates("2026-03-28", "2026-03-28");
        assert_eq!(days(Some(TimeZone::UTC), london, &sunday), Parted { held, rest });
        let monday = instants("2026-03-28T00:00:00Z", "2026-03-30T23:00:00Z");
        assert_eq!(days(Some(TimeZone::UTC), london, &monday), Parted { held: None, rest: vec![monday] });
    }

    #[test]
    fn days_cut_in_two_are_left_for_the_events() {
        let asked = instants("2026-11-01T12:00:00Z", "2026-11-04T06:00:00Z");
        let rest = vec![
            instants("2026-11-01T12:00:00Z", "2026-11-02T00:00:00Z"),
            instants("2026-11-04T00:00:00Z", "2026-11-04T06:00:00Z"),
        ];
        assert_eq!(
            users(Some(TimeZone::UTC), &asked),
            Parted { held: dates("2026-11-02", "2026-11-03"), rest }
        );
    }

    #[test]
    fn a_stretch_without_a_whole_day_is_one_piece() {
        for asked in [
            instants("2026-11-01T01:00:00Z", "2026-11-01T02:00:00Z"),
            instants("2026-11-01T12:00:00Z", "2026-11-02T12:00:00Z"),
        ] {
            assert_eq!(users(Some(TimeZone::UTC), &asked), Parted { held: None, rest: vec![asked] });
        }
    }

    #[test]
    fn a_date_that_its_zone_left_out_takes_nothing_to_read() {
        let apia = zone("Pacific/Apia");
        let nothing = instants("2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
        let unread = Parted { held: None, rest: vec![] };
        assert_eq!(days(Some(apia), apia, &nothing), unread);
        assert_eq!(days(Some(TimeZone::UTC), apia, &nothing), unread);
        assert_eq!(counts(&nothing), Parted { held: None, rest: vec![] });
    }

    #[test]
    fn history_is_held_up_to_the_project_s_last_midnight() {
        let parted = history(Some(TimeZone::UTC), "2026-10-31T18:30:00Z".parse().unwrap());
        let rest = vec![instants("2026-10-31T00:00:00Z", "2026-10-31T18:30:00Z")];
        assert_eq!(parted, Parted { held: Some("2026-10-31".parse().unwrap()), rest });
        assert_eq!(history(Some(TimeZone::UTC), "2026-10-31T00:00:00Z".parse().unwrap()).rest, []);
    }

    #[test]
    fn whole_quarters_of_an_hour_are_held() {
        let asked = instants("2026-11-01T00:00:00Z", "2026-11-01T18:30:00Z");
        assert_eq!(counts(&asked), Parted { held: Some(asked), rest: vec![] });
        let parted = counts(&instants("2026-11-01T00:05:00Z", "2026-11-01T00:50:00Z"));
        assert_eq!(parted.held, Some(instants("2026-11-01T00:15:00Z", "2026-11-01T00:45:00Z")));
        assert_eq!(
            parted.rest,
            [
                instants("2026-11-01T00:05:00Z", "2026-11-01T00:15:00Z"),
                instants("2026-11-01T00:45:00Z", "2026-11-01T00:50:00Z"),
            ]
        );
        let within = instants("2026-11-01T00:05:00Z", "2026-11-01T00:10:00Z");
        assert_eq!(counts(&within), Parted { held: None, rest: vec![within] });
    }
}
