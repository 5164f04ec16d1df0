//! Local days in every zone there is.

use chrono::{DateTime, Days, NaiveDate, Offset, TimeDelta, TimeZone as _, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use millrace_domain::analytics::time_zone::TimeZone;
use proptest::prelude::*;

fn zone(tz: Tz) -> TimeZone {
    tz.name().parse().expect("a zone of chrono-tz")
}

fn wall_date(tz: Tz, instant: DateTime<Utc>) -> NaiveDate {
    tz.from_utc_datetime(&instant.naive_utc()).date_naive()
}

/// `day` holds exactly the instants from its start to the next day's.
fn assert_is_cut_out_exactly(tz: Tz, day: NaiveDate) {
    let zone = zone(tz);
    let (start, end) = (zone.day_start(day), zone.day_start(day + Days::new(1)));
    assert!(start <= end, "{tz} {day}");
    let tick = TimeDelta::nanoseconds(1);
    // Whatever the clocks did, at its start the wall shows this date or, if it is left out, a later one.
    assert!(wall_date(tz, start) >= day, "{tz} {day}");
    assert!(wall_date(tz, start - tick) < day, "{tz} {day}");
    assert!(zone.local_day(start - tick) < day, "{tz} {day}");
    if start < end {
        assert_eq!(zone.local_day(start), day, "{tz}");
        assert_eq!(zone.local_day(end - tick), day, "{tz}");
        // Where a clock goes back soon after midnight, the wall shows the day before again.
        let soon_after = (start + TimeDelta::minutes(30)).min(end - tick);
        assert_eq!(zone.local_day(soon_after), day, "{tz}");
    } else {
        assert!(zone.local_day(start) > day, "{tz} {day}");
    }
    assert!(zone.local_day(end) > day, "{tz} {day}");
}

#[test]
fn days_are_cut_out_exactly_around_every_change_of_every_clock() {
    let offset = |tz: Tz, day: NaiveDate| {
        tz.offset_from_utc_datetime(&day.and_hms_opt(12, 0, 0).unwrap()).fix().local_minus_utc()
    };
    let first = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    let mut changes = 0;
    for tz in TZ_VARIANTS {
        let mut week = first;
        let mut before = offset(tz, week);
        while week < NaiveDate::from_ymd_opt(2038, 1, 1).unwrap() {
            let next = week + Days::new(7);
            let after = offset(tz, next);
            if before != after {
                changes += 1;
                week.iter_days().take(9).for_each(|day| assert_is_cut_out_exactly(tz, day));
            }
            (week, before) = (next, after);
        }
    }
    assert!(changes > 10_000, "only {changes} changes were found");
}

proptest! {
    #[test]
    fn a_day_is_the_latest_date_that_the_wall_has_shown(
        tz in prop::sample::select(TZ_VARIANTS.to_vec()),
        second in 0..3_000_000_000i64,
    ) {
        let instant = DateTime::from_timestamp(second, 0).unwrap();
        // A clock is never put back by more than a day.
        let shown = (0..=24 * 12).map(|steps| wall_date(tz, instant - TimeDelta::minutes(5 * steps))).max();
        prop_assert_eq!(Some(zone(tz).local_day(instant)), shown);
    }

    #[test]
    fn an_instant_is_in_exactly_one_day(
        tz in prop::sample::select(TZ_VARIANTS.to_vec()),
        second in -100_000_000..250_000_000_000i64, nanosecond in 0..1_000_000_000u32,
    ) {
        let (zone, instant) = (zone(tz), DateTime::from_timestamp(second, nanosecond).unwrap());
        let day = zone.local_day(instant);
        prop_assert!(zone.day_start(day) <= instant);
        prop_assert!(instant < zone.day_start(day + Days::new(1)));
    }
}
