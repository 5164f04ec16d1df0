//! From the events of one user after the other to the answer.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analytics::funnel::{FunnelQuery, Order};
use crate::ids::UserNo;

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
    const STEPS: u32 = Self::EXCLUSION - 1;

    fn is_of(self, step: usize) -> bool {
        self.marks & Self::STEPS & (1u32.checked_shl(u32::try_from(step).unwrap_or(u32::MAX)).unwrap_or(0))
            != 0
    }
}

/// How far users got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Funnel {
    /// All of them.
    pub all: Vec<Level>,
    /// Told apart by the breakdown: the values with the most users that began, then, if there are more values, all
    /// others together.
    pub groups: Vec<Group>,
}

/// Users told apart by the value at the event that began their attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The value as text; nothing where the property is absent or `null`, and for all others together.
    pub value: Option<String>,
    /// Whether these are all other values together.
    pub is_rest: bool,
    /// How far they got.
    pub levels: Vec<Level>,
}

/// A step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// Users who got so far.
    pub users: u64,
    /// The median of the seconds between the step before and this one.
    pub median_seconds: Option<f64>,
    /// The median of the seconds between the first step and this one.
    pub median_seconds_from_start: Option<f64>,
}

/// Times between steps, in microseconds.
#[derive(Default)]
struct Times {
    from_previous: Vec<i64>,
    from_start: Vec<i64>,
}

/// What is known of the users with one value: those who began, and the times of each later step.
#[derive(Default)]
struct Tally {
    began: u64,
    later: Vec<Times>,
}

/// Takes in events user by user and keeps only what the answer is made of.
pub struct FunnelFold<'q> {
    query: &'q FunnelQuery,
    /// Attempts begin before this.
    end: i64,
    user: Option<UserNo>,
    moments: Vec<(Moment, usize)>,
    /// Values by their place; the first is that of an absent property.
    values: Vec<Option<String>>,
    places: HashMap<String, usize>,
    tallies: Vec<Tally>,
    attempts: Attempts,
}

impl<'q> FunnelFold<'q> {
    /// For attempts that begin before `end`, in microseconds since 1970.
    #[must_use]
    pub fn new(query: &'q FunnelQuery, end: i64) -> Self {
        Self {
            query,
            end,
            user: None,
            moments: Vec::new(),
            values: vec![None],
            places: HashMap::new(),
            tallies: Vec::new(),
            attempts: Attempts::default(),
        }
    }

    /// Takes in an event with the breakdown's value. All events of a user must come together, in whatever order.
    pub fn push(&mut self, user: UserNo, moment: Moment, value: Option<&str>) {
        if self.user != Some(user) {
            self.close_user();
            self.user = Some(user);
        }
        let place = value.map_or(0, |value| self.place_of(value));
        self.moments.push((moment, place));
    }

    /// The answer.
    #[must_use]
    pub fn finish(mut self) -> Funnel {
        self.close_user();
        let steps = self.query.steps.len();
        let mut groups = Vec::new();
        let mut all = Tally::default();
        if let Some(breakdown) = &self.query.breakdown {
            let mut ranked: Vec<(Tally, Option<String>)> =
                self.tallies.into_iter().zip(self.values).filter(|(tally, _)| tally.began > 0).collect();
            ranked.sort_by(|(a, a_value), (b, b_value)| {
                (Reverse(a.began), a_value).cmp(&(Reverse(b.began), b_value))
            });
            let mut rest = Tally::default();
            for (place, (tally, value)) in ranked.into_iter().enumerate() {
                all.add(&tally);
                if place < usize::from(breakdown.values) {
                    groups.push(Group { value, is_rest: false, levels: tally.levels(steps) });
                } else {
                    rest.add(&tally);
                }
            }
            if rest.began > 0 {
                groups.push(Group { value: None, is_rest: true, levels: rest.levels(steps) });
            }
        } else if let Some(only) = self.tallies.into_iter().next() {
            all = only;
        }
        Funnel { all: all.levels(steps), groups }
    }

    fn place_of(&mut self, value: &str) -> usize {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = self.values.len();
        self.values.push(Some(value.to_owned()));
        self.places.insert(value.to_owned(), place);
        place
    }

    fn close_user(&mut self) {
        // Most users never begin.
        if self.query.order != Order::Loose && !self.moments.iter().any(|(moment, _)| moment.is_of(0)) {
            self.moments.clear();
            return;
        }
        let values = &self.values;
        self.moments.sort_by(|(a, a_value), (b, b_value)| {
            // Whatever store the events come from, their order is a matter of what they are.
            let key =
                |moment: &Moment| (moment.at, (moment.marks & Moment::STEPS).trailing_zeros(), moment.marks);
            key(a).cmp(&key(b)).then_with(|| values.get(*a_value).cmp(&values.get(*b_value)))
        });
        if let Some((first, times)) = self.attempts.best(self.query, &self.moments, self.end) {
            let place = self.moments.get(first).map_or(0, |(_, place)| *place);
            if self.tallies.len() <= place {
                self.tallies.resize_with(place + 1, Tally::default);
            }
            if let Some(tally) = self.tallies.get_mut(place) {
                tally.count(times);
            }
        }
        self.moments.clear();
    }
}

impl Tally {
    /// Counts a user whose attempt had its events at these times.
    fn count(&mut self, times: &[i64]) {
        self.began += 1;
        let Some(start) = times.first() else { return };
        for (place, pair) in times.windows(2).enumerate() {
            if self.later.len() <= place {
                self.later.push(Times::default());
            }
            if let ([before, at], Some(later)) = (pair, self.later.get_mut(place)) {
                later.from_previous.push(at - before);
                later.from_start.push(at - start);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.began += other.began;
        if self.later.len() < other.later.len() {
            self.later.resize_with(other.later.len(), Times::default);
        }
        for (sum, more) in self.later.iter_mut().zip(&other.later) {
            sum.from_previous.extend(&more.from_previous);
            sum.from_start.extend(&more.from_start);
        }
    }

    fn levels(self, steps: usize) -> Vec<Level> {
        let mut levels = vec![Level { users: self.began, ..Level::default() }];
        levels.extend(self.later.into_iter().map(|mut times| Level {
            users: u64::try_from(times.from_previous.len()).unwrap_or(u64::MAX),
            median_seconds: median_seconds(&mut times.from_previous),
            median_seconds_from_start: median_seconds(&mut times.from_start),
        }));
        levels.resize(steps, Level::default());
        levels
    }
}

/// The middle of them, or the mean of the two in the middle.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
pub(crate) fn median_seconds(micros: &mut [i64]) -> Option<f64> {
    if micros.is_empty() {
        return None;
    }
    let even = micros.len() % 2 == 0;
    let (below, upper, _) = micros.select_nth_unstable(micros.len() / 2);
    let upper = *upper as f64;
    let median = match below.iter().max() {
        Some(lower) if even => f64::midpoint(*lower as f64, upper),
        _ => upper,
    };
    Some(median / 1e6)
}

/// The attempts of one user. Kept from user to user for its memory alone.
#[derive(Default)]
struct Attempts {
    /// Where the events of each step are.
    steps: Vec<Vec<usize>>,
    exclusions: Vec<usize>,
    times: Vec<i64>,
    best: Vec<i64>,
}

impl Attempts {
    /// Where the best attempt begins, and the times of its events.
    fn best(
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
