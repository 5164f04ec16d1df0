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

/// The shop in real time: visits begin at random, and their events come due one by one.
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
    /// Goes on from where a story ended. The first visit begins at once.
    pub(super) fn new(shop: Shop, visits_per_minute: u16, now: DateTime<Utc>) -> Self {
        let started = u64::try_from(now.timestamp_millis()).unwrap_or(0);
        Self {
            random: Random::derived(shop.story.seed, &[3, started]),
            shop,
            between_visits: TimeDelta::seconds(60) / i32::from(visits_per_minute.max(1)),
            next_visit: now,
            upcoming: BTreeMap::new(),
        }
    }

    /// The events that have come due by `now`, in order.
    pub(super) fn due(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        while self.next_visit <= now {
            self.begin_visit();
        }
        let later = self.upcoming.split_off(&(now, Uuid::max()));
        std::mem::replace(&mut self.upcoming, later).into_values().collect()
    }

    fn begin_visit(&mut self) {
        let at = self.next_visit;
        // Between nothing and twice the average.
        let share = i32::try_from(self.random.below(2001)).unwrap_or(1000);
        self.next_visit += self.between_visits * share / 1000;
        let first = self.random.chance(0.1) || self.shop.visitors.is_empty();
        let mut newcomer = first.then(|| {
            let number = NEWCOMERS + self.random.below(u32::MAX - NEWCOMERS);
            Visitor::new(self.shop.story.seed, number, Arrival { date: at.date_naive(), by_sale: false })
        });
        let visitor = match &mut newcomer {
            Some(newcomer) => newcomer,
            None => match self.somebody(at) {
                Some(index) => index,
                None => return,
            },
        };
        let _ = visitor;
    }

    fn somebody(&mut self, _at: DateTime<Utc>) -> Option<&mut Visitor> {
        None
    }
}
