//! Stickiness: on how many days, weeks or months of a period users were active.

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::analytics::event_selector::EventSelector;
use crate::analytics::interval::Interval;
use crate::analytics::query_fault::QueryFault;
use crate::analytics::range::DateRange;

/// The most intervals of one answer.
pub const MAX_INTERVALS: usize = 1_000;

/// A question about stickiness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickinessQuery {
    /// What is counted.
    pub interval: Interval,
    /// Doing what counts as being active.
    pub event: EventSelector,
}

/// A question about stickiness, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StickinessParameters {
    interval: Option<String>,
    event_type: Option<String>,
}

impl TryFrom<StickinessParameters> for StickinessQuery {
    type Error = QueryFault;

    fn try_from(raw: StickinessParameters) -> Result<Self, QueryFault> {
        Ok(Self {
            interval: raw.interval.map_or(Ok(Interval::default()), |text| text.parse())?,
            event: EventSelector::parse("event_type", raw.event_type.as_deref())?,
        })
    }
}

/// Users that were active in exactly so many intervals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sticky {
    /// Intervals with activity.
    pub intervals: usize,
    /// Users with exactly that many.
    pub users: u64,
}

/// The number of intervals that share a date with `range`.
///
/// # Errors
/// More than [`MAX_INTERVALS`].
pub fn intervals(interval: Interval, range: DateRange) -> Result<usize, QueryFault> {
    let intervals = interval.buckets(range).count();
    if intervals > MAX_INTERVALS {
        let reason =
            format_args!("would have {intervals} intervals, at most {MAX_INTERVALS} may be asked for");
        return Err(QueryFault::new("interval", "too_many_intervals", reason));
    }
    Ok(intervals)
}

/// In how many sets each user is: a number for every user, as binary digits: the set at place i holds the users whose number has the bit 2^i. Counting
/// a set is an addition with carry, of sets instead of bits, and costs no more than the number's length.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    digits: Vec<RoaringBitmap>,
}

impl Counter {
    /// Counts a set.
    pub fn count(&mut self, set: &RoaringBitmap) {
        let mut carry = set.clone();
        for digit in &mut self.digits {
            if carry.is_empty() {
                return;
            }
            let overflow = &*digit & &carry;
            *digit ^= carry;
            carry = overflow;
        }
        if !carry.is_empty() {
            self.digits.push(carry);
        }
    }

    /// For each number from 1 to `intervals`, the users that are in exactly so many.
    #[must_use]
    pub fn up_to(&self, intervals: usize) -> Vec<Sticky> {
        (1..=intervals).map(|count| Sticky { intervals: count, users: self.exactly(count) }).collect()
    }

    /// The users whose number is `number`, which is at least 1.
    fn exactly(&self, number: usize) -> u64 {
        let has =
            |place: usize| number.checked_shr(u32::try_from(place).unwrap_or(u32::MAX)).unwrap_or(0) & 1 == 1;
        let longest = usize::try_from(usize::BITS - number.leading_zeros()).unwrap_or(usize::MAX);
        if longest > self.digits.len() {
            return 0;
        }
        let places = || self.digits.iter().enumerate();
        let mut set = places().filter(|(place, _)| has(*place)).map(|(_, digit)| digit);
        let Some(first) = set.next() else { return 0 };
        let mut found = first.clone();
        for digit in set {
            found &= digit;
        }
        for (_, digit) in places().filter(|(place, _)| !has(*place)) {
            found -= digit;
        }
        found.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counting_by_digits_is_counting(sets in prop::collection::vec(prop::collection::btree_set(0u32..30, 0..20), 0..40)) {
            let bitmaps: Vec<RoaringBitmap> = sets.iter().map(|set| set.iter().copied().collect()).collect();
            let mut counter = Counter::default();
            bitmaps.iter().for_each(|set| counter.count(set));
            let answer = counter.up_to(sets.len());
            for (place, sticky) in answer.iter().enumerate() {
                let users = (0u32..30).filter(|user| sets.iter().filter(|set| set.contains(user)).count() == place + 1);
                prop_assert_eq!(sticky.users, users.count() as u64);
            }
        }
    }
}
