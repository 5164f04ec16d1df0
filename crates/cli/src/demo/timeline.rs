use std::collections::VecDeque;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::event::Event;
use super::shop::Shop;

/// No place on Earth is further ahead of UTC.
const EARLIEST_MIDNIGHT: TimeDelta = TimeDelta::hours(14);

/// Everything that happens in the shop, in the order of time, through the end of the last day in UTC.
///
/// Days are simulated one by one, each in its visitors' own zones, so an event can still come before
/// those of days gone before. Only what no later day can come before is given out: two or three days'
/// events are held at a time.
pub(super) struct Timeline {
    shop: Shop,
    next_day: NaiveDate,
    /// What may be given out.
    ready: VecDeque<Event>,
    /// What later events may come before.
    pending: Vec<Event>,
}

impl Timeline {
    pub(super) fn new(shop: Shop) -> Self {
        let next_day = shop.story.opens;
        Self { shop, next_day, ready: VecDeque::new(), pending: Vec::new() }
    }

    /// The shop as it is once everything has been given out.
    pub(super) fn into_shop(mut self) -> Shop {
        while self.simulate() {
            self.ready.clear();
        }
        self.shop
    }

    /// Simulates a day; false when there is none left.
    fn simulate(&mut self) -> bool {
        // The day after the last one has begun in the east before the last one ends in UTC.
        let (date, last) = (self.next_day, self.shop.story.ends() + Days::new(1));
        if date > last {
            return false;
        }
        self.next_day = date + Days::new(1);
        let (from, until) = (midnight(self.shop.story.opens), midnight(last));
        let told = |event: &Event| (from..until).contains(&event.occurred_at);
        self.pending.extend(self.shop.day(date).into_iter().filter(told));
        self.pending.sort_unstable_by_key(|event| (event.occurred_at, event.event_id));
        let settled = if date == last { until } else { midnight(self.next_day) - EARLIEST_MIDNIGHT };
        let count = self.pending.partition_point(|event| event.occurred_at < settled);
        self.ready.extend(self.pending.drain(..count));
        true
    }
}

impl Iterator for Timeline {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            if !self.simulate() {
                return None;
            }
        }
        self.ready.pop_front()
    }
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::shop::Story;
    use super::*;

    fn timeline(seed: u64) -> Timeline {
        let opens = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        Timeline::new(Shop::new(Story { seed, opens, days: 20, visitors: 200 }))
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let text =
            |seed| timeline(seed).map(|event| serde_json::to_string(&event).unwrap()).collect::<Vec<_>>();
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    #[test]
    fn events_come_in_order_once_and_within_the_days() {
        let events: Vec<_> = timeline(1).collect();
        assert!(events.is_sorted_by_key(|event| event.occurred_at));
        let ids: BTreeSet<_> = events.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len(), events.len());
        let day = |event: &Event| event.occurred_at.date_naive().to_string();
        assert_eq!(day(&events[0]), "2026-09-01");
        assert_eq!(day(&events[events.len() - 1]), "2026-09-20");
    }

    #[test]
    fn the_shop_comes_out_as_the_story_left_it() {
        let shop = timeline(1).into_shop();
        assert!(shop.visitors.iter().any(|visitor| visitor.orders > 0));
    }
}
