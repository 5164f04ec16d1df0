//! Who did something when, and nothing else: what funnels and breakdowns without filters are made of, in a few bytes an
//! event.

use crate::analytics::funnel::Moment;
use crate::ids::UserNo;

/// Events that are handed over together.
const AT_ONCE: usize = 2 << 20;
/// Bytes of memory that handing over takes at most.
pub const HANDING_OVER: usize = AT_ONCE * size_of::<Moment>() + (4 << 20);
/// Users that are counted together to find out how many of them make up [`AT_ONCE`].
const BLOCK: u32 = 1 << 12;

/// The users and the times of some events, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    users: Vec<UserNo>,
    times: Vec<i64>,
}

impl Posting {
    /// Users, and times in microseconds since 1970, of as many events.
    #[must_use]
    pub fn new(mut users: Vec<UserNo>, mut times: Vec<i64>) -> Self {
        let events = users.len().min(times.len());
        users.truncate(events);
        times.truncate(events);
        users.shrink_to_fit();
        times.shrink_to_fit();
        Self { users, times }
    }

    /// How many events these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.len() * (size_of::<UserNo>() + size_of::<i64>())
    }

    /// Users and times.
    pub fn events(&self) -> impl Iterator<Item = (UserNo, i64)> {
        self.users.iter().copied().zip(self.times.iter().copied())
    }
}

/// Hands over the events from `from` until before `to`, user by user, each with the marks of its posting. The memory it
/// takes does not grow with the number of events: users come in runs.
pub fn user_by_user(postings: &[(u32, &Posting)], from: i64, to: i64, mut take: impl FnMut(UserNo, Moment)) {
    for users in runs(postings) {
        let width = usize::try_from(users.end - users.start).unwrap_or(usize::MAX);
        // Counting sort: how many events each user has tells where the events of the next one begin.
        let within = || {
            let events =
                postings.iter().flat_map(|(marks, posting)| posting.events().map(move |e| (*marks, e)));
            events.filter_map(|(marks, (user, at))| {
                let place = usize::try_from(u64::from(user).checked_sub(users.start)?).ok()?;
                (place < width && from <= at && at < to).then_some((place, Moment { at, marks }))
            })
        };
        let mut ends = vec![0usize; width];
        for (place, _) in within() {
            if let Some(count) = ends.get_mut(place) {
                *count += 1;
            }
        }
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut sorted = vec![Moment { at: 0, marks: 0 }; total];
        for (place, moment) in within() {
            if let Some(end) = ends.get_mut(place) {
                if let Some(slot) = sorted.get_mut(*end) {
                    *slot = moment;
                }
                *end += 1;
            }
        }
        let mut rest = sorted.as_slice();
        let mut begun = 0;
        for (place, end) in ends.into_iter().enumerate() {
            let (of_user, later) = rest.split_at(end - begun);
            (rest, begun) = (later, end);
            let user = u64::try_from(place).unwrap_or(u64::MAX).saturating_add(users.start);
            for moment in of_user {
                take(UserNo::try_from(user).unwrap_or(UserNo::MAX), *moment);
            }
        }
    }
}

/// Runs of users with about [`AT_ONCE`] events each.
fn runs(postings: &[(u32, &Posting)]) -> Vec<std::ops::Range<u64>> {
    let mut blocks: Vec<usize> = Vec::new();
    for user in postings.iter().flat_map(|(_, posting)| &posting.users) {
        let block = usize::try_from(user / BLOCK).unwrap_or(usize::MAX);
        if blocks.len() <= block {
            blocks.resize(block + 1, 0);
        }
        if let Some(events) = blocks.get_mut(block) {
            *events += 1;
        }
    }
    let mut runs = Vec::new();
    let (mut start, mut end, mut gathered) = (0u64, 0u64, 0usize);
    for events in blocks {
        if gathered > 0 && gathered + events > AT_ONCE {
            runs.push(start..end);
            (start, gathered) = (end, 0);
        }
        gathered += events;
        end += u64::from(BLOCK);
    }
    if gathered > 0 {
        runs.push(start..end);
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_event_is_handed_over_once_and_users_are_together(
            events in prop::collection::vec((0u32..20_000, 0i64..100, 0u32..3), 0..300),
        ) {
            let of = |marks: u32| {
                let events = events.iter().filter(|(_, _, kind)| *kind == marks);
                let (users, times) = events.map(|(user, at, _)| (*user, *at)).unzip();
                Posting::new(users, times)
            };
            let (one, two, three) = (of(0), of(1), of(2));
            let mut taken: Vec<(u32, i64, u32)> = Vec::new();
            user_by_user(&[(0, &one), (1, &two), (2, &three)], 10, 90, |user, moment| {
                taken.push((user, moment.at, moment.marks));
            });
            prop_assert!(taken.is_sorted_by_key(|(user, _, _)| *user));
            let mut expected: Vec<_> = events.into_iter().filter(|(_, at, _)| (10..90).contains(at)).collect();
            expected.sort_unstable();
            taken.sort_unstable();
            prop_assert_eq!(taken, expected);
        }
    }
}
