//! From the events of one user after the other to the answer.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::analytics::funnel::attempts::Attempts;
use crate::analytics::funnel::{FunnelQuery, Moment, Order};
use crate::ids::UserNo;

/// About what the text of a value takes, here and there.
const VALUE: usize = 64;

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
    /// Empty for the second step: the one before it is the first.
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
                sum.take(tally);
            }
        }
    }

    /// Bytes of memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let times = |times: &Times| times.from_previous.capacity() + times.from_start.capacity();
        let later = self.tallies.iter().flat_map(|tally| &tally.later).map(times).sum::<usize>();
        // Values are here and among their places; groups are put together in the end, a time in both for a moment.
        let values = self.values.len() * (size_of::<(Tally, Times, String)>() * 2 + VALUE);
        later * size_of::<i64>() * 2 + self.moments.capacity() * size_of::<(Moment, usize)>() + values
    }

    /// Bytes of memory if so many users get to the last step: of each a time for the second step, and two for every later.
    #[must_use]
    pub fn bytes_of(&self, users: u64) -> u64 {
        let later = u64::try_from(self.query.steps.len()).unwrap_or(u64::MAX).saturating_sub(1);
        let times = later.saturating_mul(2).saturating_sub(1);
        // And a quarter in reserve.
        users.saturating_mul(times).saturating_mul(10)
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
            for (place, (mut tally, value)) in ranked.into_iter().enumerate() {
                if place < usize::from(breakdown.values) {
                    groups.push(Group { value, is_rest: false, levels: tally.levels(steps) });
                    all.take(tally);
                } else {
                    rest.take(tally);
                }
            }
            if rest.began > 0 {
                groups.push(Group { value: None, is_rest: true, levels: rest.levels(steps) });
                all.take(rest);
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
                push(&mut later.from_previous, at - before);
                if place > 0 {
                    push(&mut later.from_start, at - start);
                }
            }
        }
    }

    fn take(&mut self, other: Self) {
        self.began += other.began;
        if self.later.len() < other.later.len() {
            self.later.resize_with(other.later.len(), Times::default);
        }
        for (sum, mut more) in self.later.iter_mut().zip(other.later) {
            sum.from_previous.append(&mut more.from_previous);
            sum.from_start.append(&mut more.from_start);
        }
    }

    /// Their order does not matter to anybody, and is another after that.
    fn levels(&mut self, steps: usize) -> Vec<Level> {
        let mut levels = vec![Level { users: self.began, ..Level::default() }];
        levels.extend(self.later.iter_mut().enumerate().map(|(place, times)| {
            let median = median_seconds(0, &mut times.from_previous);
            Level {
                users: u64::try_from(times.from_previous.len()).unwrap_or(u64::MAX),
                median_seconds: median,
                median_seconds_from_start: match place {
                    0 => median,
                    _ => median_seconds(0, &mut times.from_start),
                },
            }
        }));
        levels.resize(steps, Level::default());
        levels
    }
}

/// Grows by a quarter and not by as much again: the times of all users are most of what a funnel holds.
fn push(times: &mut Vec<i64>, time: i64) {
    if times.len() == times.capacity() {
        times.reserve_exact(times.len() / 4 + 16);
    }
    times.push(time);
}

/// The middle of `zeros` zeros and these, none of which is negative, or the mean of the two in the middle.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
pub(crate) fn median_seconds(zeros: u64, micros: &mut [i64]) -> Option<f64> {
    let zeros = usize::try_from(zeros).unwrap_or(usize::MAX);
    let count = zeros + micros.len();
    if count == 0 {
        return None;
    }
    let Some(middle) = (count / 2).checked_sub(zeros) else { return Some(0.0) };
    let (below, upper, _) = micros.select_nth_unstable(middle);
    let upper = *upper as f64;
    // Below the first of these are the zeros.
    let lower = below.iter().max().copied().unwrap_or(0);
    let median = if count.is_multiple_of(2) { f64::midpoint(lower as f64, upper) } else { upper };
    Some(median / 1e6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_median_is_in_the_middle(zeros in 0u64..8, mut micros in prop::collection::vec(0i64..50, 0..8)) {
            let mut all: Vec<i64> = (0..zeros).map(|_| 0).chain(micros.iter().copied()).collect();
            all.sort_unstable();
            let middle = all.len() / 2;
            let at = |place: usize| f64::from(i32::try_from(all[place]).unwrap());
            let expected = match all.len() {
                0 => None,
                n if n % 2 == 1 => Some(at(middle) / 1e6),
                _ => Some(f64::midpoint(at(middle - 1), at(middle)) / 1e6),
            };
            prop_assert_eq!(median_seconds(zeros, &mut micros), expected);
        }
    }
}
