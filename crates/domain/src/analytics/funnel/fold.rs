//! From the events of one user after the other to the answer.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analytics::funnel::attempts::Attempts;
use crate::analytics::funnel::{FunnelQuery, Moment, Order};
use crate::ids::UserNo;

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

    /// Takes in what was made of the events of other users.
    pub fn absorb(&mut self, mut other: Self) {
        other.close_user();
        for (value, tally) in other.values.into_iter().zip(other.tallies) {
            let place = value.map_or(0, |value| self.place_of(&value));
            self.tallies.resize_with(self.tallies.len().max(place + 1), Tally::default);
            if let Some(sum) = self.tallies.get_mut(place) {
                sum.add(&tally);
            }
        }
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
    let even = micros.len().is_multiple_of(2);
    let (below, upper, _) = micros.select_nth_unstable(micros.len() / 2);
    let upper = *upper as f64;
    let median = match below.iter().max() {
        Some(lower) if even => f64::midpoint(*lower as f64, upper),
        _ => upper,
    };
    Some(median / 1e6)
}
