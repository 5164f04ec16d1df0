//! Postings cut at the points of a series.

use std::collections::BTreeMap;
use std::thread;

use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::posting::{Posting, threads};
use millrace_domain::ids::UserNo;
use millrace_storage::trends::Valued;
use roaring::RoaringBitmap;

/// With fewer events than this for each, threads take longer to begin than to cut.
const EVENTS_OF_A_THREAD: usize = 100_000;

/// Where the points begin, and where the last one ends, in microseconds since 1970; and who counts.
pub(super) struct Points<'a> {
    pub(super) starts: Vec<i64>,
    pub(super) end: i64,
    pub(super) audience: &'a Audience,
}

impl Points<'_> {
    /// The events of postings by value, at each point with any. `whole`: each posting is of one point, and its first event
    /// tells which.
    pub(super) fn valued(&self, by_value: &[&(Option<String>, Posting)], whole: bool) -> Vec<Valued> {
        let of_posting = |(value, posting): &(Option<String>, Posting)| match whole {
            true => self.whole(value, posting).into_iter().collect(),
            false => self.cut(value, posting),
        };
        let of_posting = &of_posting;
        let events: usize = by_value.iter().map(|(_, posting)| posting.len()).sum();
        let threads = threads().min(events / EVENTS_OF_A_THREAD).max(1);
        let of_a_thread = by_value.len().div_ceil(threads).max(1);
        let (first, others) = by_value.split_at(of_a_thread.min(by_value.len()));
        let mut found = vec![Vec::new(); others.len().div_ceil(of_a_thread)];
        let mut all = thread::scope(|scope| {
            for (by_value, found) in others.chunks(of_a_thread).zip(&mut found) {
                scope.spawn(move || *found = by_value.iter().copied().flat_map(of_posting).collect());
            }
            first.iter().copied().flat_map(of_posting).collect::<Vec<_>>()
        });
        all.extend(found.into_iter().flatten());
        all
    }

    /// The events of a posting at each point with any.
    fn cut(&self, value: &Option<String>, posting: &Posting) -> Vec<Valued> {
        let mut points: BTreeMap<usize, (u64, Vec<UserNo>)> = BTreeMap::new();
        posting.each(|user, at| {
            if let Some(point) = self.at(at).filter(|_| self.audience.has(user)) {
                let (events, users) = points.entry(point).or_default();
                *events += 1;
                users.push(user);
            }
        });
        let valued = |(point, (events, mut users)): (usize, (u64, Vec<UserNo>))| {
            users.dedup();
            Valued { point, value: value.clone(), events, users: set(users) }
        };
        points.into_iter().map(valued).collect()
    }

    /// The events of a posting of which the first tells at which point all of them were.
    fn whole(&self, value: &Option<String>, posting: &Posting) -> Option<Valued> {
        let point = posting.earliest().and_then(|at| self.at(at))?;
        let (mut events, mut users) = (0, Vec::new());
        posting.each_user(|user, count| {
            if self.audience.has(user) {
                events += u64::try_from(count).unwrap_or(u64::MAX);
                users.push(user);
            }
        });
        (events > 0).then(|| Valued { point, value: value.clone(), events, users: set(users) })
    }

    fn at(&self, moment: i64) -> Option<usize> {
        let begun = self.starts.partition_point(|start| *start <= moment);
        begun.checked_sub(1).filter(|_| moment < self.end)
    }
}

/// Users in the order of their numbers, as postings hand them over. A set takes numbers at its end without looking for
/// their place.
fn set(users: Vec<UserNo>) -> RoaringBitmap {
    RoaringBitmap::from_sorted_iter(users.iter().copied()).unwrap_or_else(|_| users.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_posting_is_cut_where_points_begin_and_taken_whole_where_it_is_of_one() {
        let audience = !Audience::Those(RoaringBitmap::from_iter([9]));
        let points = Points { starts: vec![10, 20], end: 30, audience: &audience };
        let told = |found: Valued| (found.point, found.events, found.users.into_iter().collect::<Vec<_>>());

        let users = vec![70_000, 1, 1, 9, 1, 2, 3];
        let posting = Posting::new(users, vec![12, 19, 11, 12, 20, 9, 30]);
        let cut: Vec<_> = points.cut(&None, &posting).into_iter().map(told).collect();
        assert_eq!(cut, [(0, 3, vec![1, 70_000]), (1, 1, vec![1])]);

        let whole = points.whole(&None, &Posting::at_once(vec![70_000, 9, 1, 1], 20)).map(told);
        assert_eq!(whole, Some((1, 3, vec![1, 70_000])));
        assert!(points.whole(&None, &Posting::at_once(vec![9], 20)).is_none());
        assert!(points.whole(&None, &Posting::at_once(vec![1], 30)).is_none());
    }

    #[test]
    fn threads_leave_nothing_out() {
        let audience = Audience::everybody();
        let points = Points { starts: vec![0, 100], end: 200, audience: &audience };
        let by_value: Vec<_> = (0..7u32)
            .map(|n| {
                (Some(n.to_string()), Posting::at_once((0..60_000 + n).collect(), i64::from(n % 2) * 100))
            })
            .collect();
        let by_value: Vec<_> = by_value.iter().collect();
        for whole in [true, false] {
            let told: Vec<_> = points
                .valued(&by_value, whole)
                .into_iter()
                .map(|one| (one.point, one.value, one.events, one.users.len()))
                .collect();
            let expected: Vec<_> =
                (0..7u64).map(|n| ((n % 2) as usize, Some(n.to_string()), 60_000 + n, 60_000 + n)).collect();
            assert_eq!(told, expected);
        }
        assert!(points.valued(&[], true).is_empty());
    }
}
