use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::event::Event;
use super::random::Random;
use super::shop::Shop;
use super::visitor::{Arrival, Visitor};
use super::{rhythm, session};

/// Newcomers are numbered from here, beyond everybody of the story.
const NEWCOMERS: u32 = 1_000_000;
const HEAD_START: TimeDelta = TimeDelta::minutes(2);
/// The share of visits that are somebody's first.
const NEWCOMER_SHARE: f64 = 0.1;

/// The shop in real time: visits begin now and then, and their events come due one by one.
///
/// It depends on when it is started as well as on the seed, so that no two runs repeat each other.
pub(super) struct Live {
    shop: Shop,
    random: Random,
    /// How long it is between visits, on average.
    between_visits: TimeDelta,
    next_visit: DateTime<Utc>,
    upcoming: BTreeMap<(DateTime<Utc>, Uuid), Event>,
}

impl Live {
    /// Goes on from where a story ended. Some visits have begun already, so that it is as busy at once
    /// as it is going to be.
    pub(super) fn new(shop: Shop, visits_per_minute: u16, now: DateTime<Utc>) -> Self {
        let started = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self {
            random: Random::derived(shop.story.seed, &[3, started]),
            shop,
            between_visits: TimeDelta::seconds(60) / i32::from(visits_per_minute.max(1)),
            next_visit: now - HEAD_START,
            upcoming: BTreeMap::new(),
        }
    }

    /// The events that have come due by `now`, in order.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        while self.next_visit <= now {
            let events = self.begin_visit(self.next_visit);
            self.upcoming
                .extend(events.into_iter().map(|event| ((event.occurred_at, event.event_id), event)));
            // Between nothing and twice the average.
            let share = i32::try_from(self.random.below(2001)).unwrap_or(1000);
            self.next_visit += self.between_visits * share / 1000;
        }
        let later = self.upcoming.split_off(&(now, Uuid::max()));
        std::mem::replace(&mut self.upcoming, later).into_values().collect()
    }

    fn begin_visit(&mut self, at: DateTime<Utc>) -> Vec<Event> {
        let index = self.somebody(at);
        let known = index.and_then(|index| self.shop.visitors.get_mut(index));
        if let Some(visitor) = known
            && !self.random.chance(NEWCOMER_SHARE)
        {
            return session::visit(visitor, at, false, &mut self.random);
        }
        let number = NEWCOMERS + self.random.below(u32::MAX - NEWCOMERS);
        let arrival = Arrival { date: at.date_naive(), by_sale: false };
        let mut visitor = Visitor::new(self.shop.story.seed, number, arrival);
        let events = session::visit(&mut visitor, at, true, &mut self.random);
        self.shop.visitors.push(visitor);
        events
    }

    /// Somebody who is likely to come at this time: a regular, for whom it is not the middle of the
    /// night.
    fn somebody(&mut self, at: DateTime<Utc>) -> Option<usize> {
        const TRIES: usize = 64;
        let count = u32::try_from(self.shop.visitors.len()).unwrap_or(u32::MAX);
        let mut last = None;
        for _ in 0..TRIES {
            let index = usize::try_from(self.random.below(count)).unwrap_or(0);
            let visitor = self.shop.visitors.get(index)?;
            if self.random.chance(visitor.attachment() * rhythm::busyness(at, visitor.zone)) {
                return Some(index);
            }
            last = Some(index);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::super::shop::Story;
    use super::*;

    fn live(now: DateTime<Utc>) -> Live {
        let opens = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        let shop = Shop::new(Story { seed: 1, opens, days: 20, visitors: 200 });
        Live::new(shop, 4, now)
    }

    #[test]
    fn something_happens_at_once_and_goes_on_at_the_rate_asked_for() {
        let start: DateTime<Utc> = "2026-09-21T12:00:00Z".parse().unwrap();
        let mut live = live(start);
        assert!(!live.due(start).is_empty());
        let (mut visits, mut before) = (0, start);
        for second in 1..=3_600 {
            let now = start + TimeDelta::seconds(second);
            for event in live.due(now) {
                assert!(event.occurred_at > before && event.occurred_at <= now);
                visits +=
                    u32::from(event.event_type == "page_view" && event.properties.get("title").is_some());
            }
            before = now;
        }
        assert!(visits > 100, "four visits a minute for an hour: {visits}");
    }

    #[test]
    fn another_start_is_another_run() {
        let start: DateTime<Utc> = "2026-09-21T12:00:00Z".parse().unwrap();
        let first = |at: DateTime<Utc>| live(at).due(at)[0].event_id;
        assert_eq!(first(start), first(start));
        assert_ne!(first(start), first(start + TimeDelta::milliseconds(1)));
    }
}
