use chrono::{Datelike, NaiveDate, TimeDelta};

use super::event::Event;
use super::random::Random;
use super::visitor::{Arrival, Visitor};
use super::{rhythm, session};

/// What decides over the whole simulation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    pub(super) seed: u64,
    /// The day on which the shop opens.
    pub(super) opens: NaiveDate,
    /// Days that are told, the opening day included.
    pub(super) days: u16,
    /// Visitors who find the shop in that time.
    pub(super) visitors: u32,
}

/// The shop and everybody who has ever found it.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) story: Story,
    pub(super) visitors: Vec<Visitor>,
}

impl Shop {
    pub(super) fn new(story: Story) -> Self {
        let visitors = arrivals(story).zip(0..).map(|(arrival, n)| Visitor::new(story.seed, n, arrival));
        Self { story, visitors: visitors.collect() }
    }

    /// Everything that happens in visits which begin on a date of the visitor's own calendar. The
    /// dates must be gone through in order, since visitors sign up and become members on the way.
    pub(super) fn day(&mut self, date: NaiveDate) -> Vec<Event> {
        let day = u64::try_from(date.num_days_from_ce()).unwrap_or(0);
        let mut events = Vec::new();
        for visitor in self.visitors.iter_mut().take_while(|visitor| visitor.joined <= date) {
            let mut random = Random::derived(self.story.seed, &[2, u64::from(visitor.number), day]);
            let mut first = visitor.joined == date;
            let count = visitor.visits(date, &mut random);
            let mut moments: Vec<_> =
                (0..count).map(|_| rhythm::moment(date, visitor.zone, &mut random)).collect();
            moments.sort_unstable();
            for moment in moments {
                events.extend(session::visit(visitor, moment, std::mem::take(&mut first), &mut random));
            }
        }
        events
    }
}

/// When visitors find the shop, in order: many at the opening, slowly more and more afterwards, fewer on
/// quiet weekdays, and a wave when there is a sale.
fn arrivals(story: Story) -> impl Iterator<Item = Arrival> {
    let days: Vec<(f64, Arrival)> = story
        .opens
        .iter_days()
        .zip(0..story.days)
        .map(|(date, day)| {
            let by_sale = is_sale(day, story.days);
            let opening = [2.6, 1.9, 1.4].get(usize::from(day)).copied().unwrap_or(1.0);
            let growth = 1.0 + f64::from(day) / f64::from(story.days);
            let wave = if by_sale { 2.3 } else { 1.0 };
            (opening * growth * wave * rhythm::weekday(date), Arrival { date, by_sale })
        })
        .collect();
    let total: f64 = days.iter().map(|(weight, _)| weight).sum();
    let mut random = Random::derived(story.seed, &[0]);
    let mut days = days.into_iter().peekable();
    let mut passed = 0.0;
    (0..story.visitors).map_while(move |number| {
        // Each visitor has an even share of the whole and stands somewhere in it, so the order is kept.
        let place = (f64::from(number) + random.unit()) / f64::from(story.visitors) * total;
        while let Some((weight, arrival)) = days.next_if(|(weight, _)| passed + weight <= place) {
            passed += weight;
            // Rounding must not leave the last visitors without a day.
            if days.peek().is_none() {
                passed -= weight;
                return Some(arrival);
            }
        }
        days.peek().map(|(_, arrival)| *arrival)
    })
}

/// Four days of sale after five ninths of the time.
fn is_sale(day: u16, days: u16) -> bool {
    let begins = u32::from(days) * 5 / 9;
    (begins..begins + 4).contains(&u32::from(day)) && days > 14
}

impl Story {
    /// The last day that is told.
    pub(super) fn ends(&self) -> NaiveDate {
        self.opens + TimeDelta::days(i64::from(self.days) - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use chrono::DateTime;

    use super::*;

    fn story() -> Story {
        Story { seed: 1, opens: NaiveDate::from_ymd_opt(2026, 9, 1).unwrap(), days: 60, visitors: 2_000 }
    }

    #[test]
    fn every_visitor_finds_the_shop_while_it_is_told_of() {
        let arrivals: Vec<_> = arrivals(story()).map(|arrival| arrival.date).collect();
        assert_eq!(arrivals.len(), 2_000);
        assert!(arrivals.is_sorted());
        assert_eq!((arrivals[0], arrivals[1_999]), (story().opens, story().ends()));
    }

    #[test]
    fn retention_decays_and_does_not_end() {
        let mut shop = Shop::new(story());
        let mut active: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let joined: BTreeMap<String, _> =
            shop.visitors.iter().map(|v| (v.id(), (v.joined, v.zone))).collect();
        for date in story().opens.iter_days().take(60) {
            for event in shop.day(date) {
                let (joined, zone) = joined[&event.user_id];
                let local = DateTime::with_timezone(&event.occurred_at, &zone).date_naive();
                active.entry(event.user_id).or_default().insert((local - joined).num_days());
            }
        }
        // Of those who found the shop in its first thirty days, the share that is back k days later.
        let cohort: Vec<_> = active
            .iter()
            .filter(|(id, _)| (joined[*id].0 - story().opens).num_days() < 30)
            .map(|(_, days)| days)
            .collect();
        let share = |day: i64| {
            let back = cohort.iter().filter(|days| days.contains(&day)).count();
            f64::from(u32::try_from(back).unwrap()) / f64::from(u32::try_from(cohort.len()).unwrap())
        };
        assert_eq!(share(0), 1.0);
        let week = |first: i64| (first..first + 7).map(share).sum::<f64>() / 7.0;
        let (first, second, fourth) = (week(1), week(8), week(22));
        assert!((0.15..0.35).contains(&share(1)), "the day after: {}", share(1));
        assert!(first > second * 1.3 && second > fourth * 1.2, "{first:.3} {second:.3} {fourth:.3}");
        assert!(fourth > 0.02, "regulars stay: {fourth:.3}");
    }

    #[test]
    fn a_day_does_not_depend_on_how_many_others_there_are() {
        let (mut small, mut large) = (Shop::new(story()), Shop::new(story()));
        small.visitors.truncate(40);
        let ids = |events: Vec<Event>, shop: &Shop| {
            let known: BTreeSet<_> = shop.visitors.iter().take(40).map(Visitor::id).collect();
            events
                .into_iter()
                .filter(|event| known.contains(&event.user_id))
                .map(|event| event.event_id)
                .collect::<Vec<_>>()
        };
        let date = story().opens;
        assert_eq!(ids(small.day(date), &large), ids(large.day(date), &large));
    }
}
