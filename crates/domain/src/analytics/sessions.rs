//! Sessions of events whose senders named none: a user's events between which less than half an hour lies.
//!
//! The definition is [ADR 29](../../../../docs/adr/0029-sessions.md)'s.

use chrono::{DateTime, TimeDelta, Utc};

/// The gap that parts two sessions.
pub const GAP: TimeDelta = TimeDelta::minutes(30);

/// When the session of each of a user's events began, in the order of `times`, which may be any.
#[must_use]
pub fn session_starts(times: &[DateTime<Utc>]) -> Vec<DateTime<Utc>> {
    let mut order: Vec<(DateTime<Utc>, usize)> =
        times.iter().enumerate().map(|(place, time)| (*time, place)).collect();
    order.sort_unstable();
    let mut starts = times.to_vec();
    let mut session: Option<(DateTime<Utc>, DateTime<Utc>)> = None;
    for (time, place) in order {
        let start = match session {
            Some((start, last)) if time - last < GAP => start,
            _ => time,
        };
        session = Some((start, time));
        if let Some(of_event) = starts.get_mut(place) {
            *of_event = start;
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn half_an_hour_parts_and_less_does_not() {
        let starts = session_starts(&[at(0), at(29), at(58), at(88), at(300)]);
        assert_eq!(starts, [at(0), at(0), at(0), at(88), at(300)]);
        assert!(session_starts(&[]).is_empty());
    }

    #[test]
    fn an_event_that_comes_late_joins_what_was_apart() {
        assert_eq!(session_starts(&[at(0), at(40)]), [at(0), at(40)]);
        assert_eq!(session_starts(&[at(0), at(40), at(20)]), [at(0); 3]);
    }

    proptest! {
        #[test]
        fn the_order_in_which_events_come_does_not_matter(
            (sorted, shuffled) in prop::collection::vec(0i64..2_000, 0..60)
                .prop_flat_map(|minutes| (Just(minutes.clone()), Just(minutes).prop_shuffle())),
        ) {
            let by_time = |minutes: &[i64]| {
                let times: Vec<_> = minutes.iter().map(|minute| at(*minute)).collect();
                times.iter().copied().zip(session_starts(&times)).collect::<BTreeMap<_, _>>()
            };
            prop_assert_eq!(by_time(&sorted), by_time(&shuffled));
        }

        #[test]
        fn sessions_are_apart_and_hold_together(minutes in prop::collection::vec(0i64..2_000, 0..60)) {
            let times: Vec<_> = minutes.iter().map(|minute| at(*minute)).collect();
            let mut seen: Vec<_> = times.iter().copied().zip(session_starts(&times)).collect();
            seen.sort_unstable();
            for pair in seen.windows(2) {
                let together = pair[1].0 - pair[0].0 < GAP;
                prop_assert_eq!(together, pair[0].1 == pair[1].1);
            }
        }
    }
}
