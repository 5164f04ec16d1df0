//! Active users from their definition: for each date, the distinct users of the days back from it.

use std::collections::BTreeSet;

use chrono::Days;
use millrace_domain::analytics::active_users::{Window, active_users};
use millrace_domain::analytics::range::DateRange;
use proptest::prelude::*;

use crate::history::any_history;

proptest! {
    #[test]
    fn a_sliding_union_agrees_with_counting_every_window(
        history in any_history(), from in 0..130u64, days in 0..70u64,
        window in prop::sample::select(vec![Window::Day, Window::Week, Window::Month]),
    ) {
        let from = history.origin + Days::new(from) - Days::new(5);
        let range = DateRange::between(from, from + Days::new(days));
        let series = active_users(window, range, &history.activity(None, Some(window.needed(range))));

        prop_assert_eq!(series.len() as u64, days + 1);
        for (point, date) in series.iter().zip(range.days()) {
            let users: BTreeSet<u32> = history
                .events
                .iter()
                .filter(|event| {
                    let age = (date - history.wall_date(event)).num_days();
                    (0..i64::from(window.days())).contains(&age)
                })
                .map(|event| event.user)
                .collect();
            prop_assert_eq!((point.date, point.users), (date, users.len() as u64));
        }
    }
}
