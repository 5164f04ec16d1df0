use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;

use super::random::Random;

/// How busy each hour of a working day is, from midnight: commute, lunch, evening.
const WORKDAY: [u32; 24] =
    [6, 3, 2, 1, 1, 3, 9, 20, 30, 28, 26, 30, 40, 36, 28, 27, 30, 38, 48, 58, 64, 56, 36, 16];
/// And of a Saturday or Sunday: later, flatter.
const WEEKEND: [u32; 24] =
    [10, 6, 3, 2, 1, 1, 3, 8, 18, 32, 46, 52, 50, 46, 44, 44, 44, 42, 44, 48, 50, 44, 32, 18];
const BUSIEST_HOUR: u32 = 64;

/// How willing people are to shop on a day of the week, around 1.
pub(super) fn weekday(date: NaiveDate) -> f64 {
    match date.weekday() {
        Weekday::Mon => 1.0,
        Weekday::Tue => 1.02,
        Weekday::Wed => 0.98,
        Weekday::Thu => 0.96,
        Weekday::Fri => 0.86,
        Weekday::Sat => 0.98,
        Weekday::Sun => 1.2,
    }
}

fn hours(date: NaiveDate) -> &'static [u32; 24] {
    if matches!(date.weekday(), Weekday::Sat | Weekday::Sun) { &WEEKEND } else { &WORKDAY }
}

/// How busy the hour is that it is in a time zone, from 0 to 1.
pub(super) fn busyness(at: DateTime<Utc>, zone: Tz) -> f64 {
    let local = at.with_timezone(&zone);
    let hour = usize::try_from(local.hour()).unwrap_or(0);
    let weight = hours(local.date_naive()).get(hour).copied().unwrap_or(0);
    f64::from(weight) / f64::from(BUSIEST_HOUR)
}

/// A moment on a visitor's own day, by how busy its hours are.
pub(super) fn moment(date: NaiveDate, zone: Tz, random: &mut Random) -> DateTime<Utc> {
    let hours: Vec<(u32, i64)> = hours(date).iter().copied().zip(0..).collect();
    let hour = *random.weighted(&hours);
    let milliseconds = hour * 3_600_000 + i64::from(random.below(3_600_000));
    let local = date.and_time(NaiveTime::MIN) + TimeDelta::milliseconds(milliseconds);
    zone.from_local_datetime(&local)
        .earliest()
        // The hour that daylight saving time skips: those people are an hour late.
        .or_else(|| zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest())
        .map_or_else(|| local.and_utc(), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_on_the_visitor_s_own_day_and_in_its_evening() {
        let (date, zone) = (NaiveDate::from_ymd_opt(2026, 11, 4).unwrap(), Tz::Asia__Kolkata);
        let mut random = Random::new(3);
        let local: Vec<_> =
            (0..5_000).map(|_| moment(date, zone, &mut random).with_timezone(&zone)).collect();
        assert!(local.iter().all(|at| at.date_naive() == date));
        let count =
            |hours: std::ops::Range<u32>| local.iter().filter(|at| hours.contains(&at.hour())).count();
        assert!(count(18..22) > 8 * count(1..5));
    }

    #[test]
    fn an_hour_that_a_zone_skips_is_no_obstacle() {
        let date = NaiveDate::from_ymd_opt(2026, 3, 8).unwrap();
        let mut random = Random::new(3);
        for _ in 0..5_000 {
            let at = moment(date, Tz::America__New_York, &mut random);
            assert_eq!(at.with_timezone(&Tz::America__New_York).date_naive(), date);
        }
    }

    #[test]
    fn busyness_goes_by_local_time() {
        let at = "2026-11-04T14:30:00Z".parse().unwrap();
        assert_eq!(busyness(at, Tz::Asia__Kolkata), 1.0, "eight in the evening");
        assert!(busyness(at, Tz::Asia__Tokyo) < 0.6);
    }
}
