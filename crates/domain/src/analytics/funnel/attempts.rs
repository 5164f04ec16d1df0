//! How far a user got: the walk through their events.

use crate::analytics::funnel::{FunnelQuery, Order};

/// An event, as a funnel sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// A bit for each step that it is of, the first step's being the lowest, and [`Moment::EXCLUSION`].
    pub marks: u32,
}

impl Moment {
    /// The mark of an exclusion.
    pub const EXCLUSION: u32 = 1 << 30;
    pub(super) const STEPS: u32 = Self::EXCLUSION - 1;

    pub(super) fn is_of(self, step: usize) -> bool {
        self.marks & Self::STEPS & (1u32.checked_shl(u32::try_from(step).unwrap_or(u32::MAX)).unwrap_or(0))
            != 0
    }
}

/// The attempts of one user. Kept from user to user for its memory alone.
#[derive(Default)]
pub(super) struct Attempts {
    /// Where the events of each step are.
    steps: Vec<Vec<usize>>,
    exclusions: Vec<usize>,
    times: Vec<i64>,
    best: Vec<i64>,
}

impl Attempts {
    /// Where the best attempt begins, and the times of its events.
    pub(super) fn best(
        &mut self,
        query: &FunnelQuery,
        moments: &[(Moment, usize)],
        end: i64,
    ) -> Option<(usize, &[i64])> {
        self.index(query, moments);
        self.best.clear();
        let window = query.window.num_microseconds().unwrap_or(i64::MAX);
        let mut first = None;
        for (place, (moment, _)) in moments.iter().enumerate().take_while(|(_, (moment, _))| moment.at < end)
        {
            let begins = match query.order {
                Order::Loose => moment.marks & Moment::STEPS != 0,
                Order::Ordered | Order::Strict => moment.is_of(0),
            };
            if !begins {
                continue;
            }
            let until = moment.at.saturating_add(window);
            match query.order {
                Order::Ordered => self.ordered(moments, place, until),
                Order::Strict => self.strict(query.steps.len(), moments, place, until),
                Order::Loose => self.loose(moments, place, until),
            }
            if self.times.len() > self.best.len() {
                std::mem::swap(&mut self.times, &mut self.best);
                first = Some(place);
            }
            if self.best.len() == query.steps.len() {
                break;
            }
        }
        Some((first?, &self.best))
    }

    fn index(&mut self, query: &FunnelQuery, moments: &[(Moment, usize)]) {
        self.steps.resize_with(query.steps.len(), Vec::new);
        self.steps.iter_mut().for_each(Vec::clear);
        self.exclusions.clear();
        for (place, (moment, _)) in moments.iter().enumerate() {
            for (step, places) in self.steps.iter_mut().enumerate() {
                if moment.is_of(step) {
                    places.push(place);
                }
            }
            if moment.marks == Moment::EXCLUSION {
                self.exclusions.push(place);
            }
        }
    }

    fn ordered(&mut self, moments: &[(Moment, usize)], first: usize, until: i64) {
        self.times.clear();
        self.times.extend(time(moments, first));
        let excluded = next(&self.exclusions, first).unwrap_or(usize::MAX);
        let mut last = first;
        for places in self.steps.iter().skip(1) {
            let taken = next(places, last).filter(|place| *place < excluded);
            let Some((place, at)) = taken.and_then(|place| Some((place, time(moments, place)?))) else {
                return;
            };
            if at > until {
                return;
            }
            self.times.push(at);
            last = place;
        }
    }

    fn strict(&mut self, steps: usize, moments: &[(Moment, usize)], first: usize, until: i64) {
        self.times.clear();
        let run = moments.iter().skip(first).take(steps).enumerate();
        let taken = run.take_while(|(step, (moment, _))| moment.is_of(*step) && moment.at <= until);
        self.times.extend(taken.map(|(_, (moment, _))| moment.at));
    }

    fn loose(&mut self, moments: &[(Moment, usize)], first: usize, until: i64) {
        self.times.clear();
        let excluded = next(&self.exclusions, first).unwrap_or(usize::MAX);
        for places in &self.steps {
            let place = places.get(places.partition_point(|place| *place < first)).filter(|p| **p < excluded);
            self.times.extend(place.and_then(|place| time(moments, *place)).filter(|at| *at <= until));
        }
        self.times.sort_unstable();
    }
}

/// The first of `places` after one.
fn next(places: &[usize], after: usize) -> Option<usize> {
    places.get(places.partition_point(|place| *place <= after)).copied()
}

fn time(moments: &[(Moment, usize)], place: usize) -> Option<i64> {
    moments.get(place).map(|(moment, _)| moment.at)
}
