//! Postings cut at the points of a series.

use std::collections::BTreeMap;

use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::posting::Posting;
use millrace_domain::ids::UserNo;
use roaring::RoaringBitmap;

/// Where the points begin, and where the last one ends, in microseconds since 1970; and who counts.
pub(super) struct Points<'a> {
    pub(super) starts: Vec<i64>,
    pub(super) end: i64,
    pub(super) audience: &'a Audience,
}

/// What happened at a point.
pub(super) struct AtPoint {
    pub(super) point: usize,
    pub(super) events: u64,
    pub(super) users: RoaringBitmap,
}

impl Points<'_> {
    /// The events of a posting at each point with any.
    pub(super) fn cut(&self, posting: &Posting) -> Vec<AtPoint> {
        let mut points: BTreeMap<usize, (u64, Vec<UserNo>)> = BTreeMap::new();
        posting.each(|user, at| {
            if let Some(point) = self.at(at).filter(|_| self.audience.has(user)) {
                let (events, users) = points.entry(point).or_default();
                *events += 1;
                users.push(user);
            }
        });
        let at_point = |(point, (events, mut users)): (usize, (u64, Vec<UserNo>))| {
            users.dedup();
            AtPoint { point, events, users: set(users) }
        };
        points.into_iter().map(at_point).collect()
    }

    /// The events of a posting of which the first tells at which point all of them were.
    pub(super) fn whole(&self, posting: &Posting) -> Option<AtPoint> {
        let point = posting.earliest().and_then(|at| self.at(at))?;
        let (mut events, mut users) = (0, Vec::new());
        posting.each_user(|user, count| {
            if self.audience.has(user) {
                events += u64::try_from(count).unwrap_or(u64::MAX);
                users.push(user);
            }
        });
        (events > 0).then(|| AtPoint { point, events, users: set(users) })
    }

    fn at(&self, moment: i64) -> Option<usize> {
        let begun = self.starts.partition_point(|start| *start <= moment);
        begun.checked_sub(1).filter(|_| moment < self.end)
    }
}

/// Users in the order of their numbers, as postings hand them over. A set takes numbers at its end ten times faster than
/// anywhere.
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
        let told = |found: AtPoint| (found.point, found.events, found.users.into_iter().collect::<Vec<_>>());

        let users = vec![70_000, 1, 1, 9, 1, 2, 3];
        let posting = Posting::new(users, vec![12, 19, 11, 12, 20, 9, 30]);
        let cut: Vec<_> = points.cut(&posting).into_iter().map(told).collect();
        assert_eq!(cut, [(0, 3, vec![1, 70_000]), (1, 1, vec![1])]);

        let whole = points.whole(&Posting::at_once(vec![70_000, 9, 1, 1], 20)).map(told);
        assert_eq!(whole, Some((1, 3, vec![1, 70_000])));
        assert!(points.whole(&Posting::at_once(vec![9], 20)).is_none());
        assert!(points.whole(&Posting::at_once(vec![1], 30)).is_none());
    }
}
