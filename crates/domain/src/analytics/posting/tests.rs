use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Events = Vec<(UserNo, i64)>;

/// Users near each other and far apart, times of any precision.
fn any_events() -> impl Strategy<Value = Events> {
    let user = prop_oneof![0u32..50, 0u32..100_000, (UserNo::MAX - 3)..=UserNo::MAX];
    let of_a_day = (0i64..86_400_000_000, prop::sample::select(vec![1, 1_000, 1_000_000]));
    let time = of_a_day.prop_map(|(micros, unit)| 1_790_000_000_000_000 + micros / unit * unit);
    let time = prop_oneof![4 => time, 1 => prop::sample::select(vec![0, -1, i64::MIN / 2, i64::MAX / 2])];
    prop::collection::vec((user, time), 0..400)
}

fn posting(events: &Events) -> Posting {
    let (users, times) = events.iter().copied().unzip();
    Posting::new(users, times)
}

fn read(postings: &[Posting]) -> Events {
    let mut events = Events::new();
    postings.iter().for_each(|posting| posting.each(|user, at| events.push((user, at))));
    events
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(mut events in any_events()) {
        let written = posting(&events);
        events.sort_unstable();
        prop_assert_eq!(written.len(), events.len());
        let stored = Posting::parse(written.as_bytes()).unwrap();
        prop_assert_eq!(read(std::slice::from_ref(&stored)), events);
        prop_assert_eq!(stored, written);
    }

    #[test]
    fn users_are_counted_and_the_earliest_time_is_known(events in any_events()) {
        let written = posting(&events);
        let mut expected = BTreeMap::<UserNo, usize>::new();
        events.iter().for_each(|(user, _)| *expected.entry(*user).or_default() += 1);
        let mut users = Vec::new();
        written.each_user(|user, count| users.push((user, count)));
        prop_assert_eq!(users, Vec::from_iter(expected));
        prop_assert_eq!(written.earliest(), events.iter().map(|(_, at)| *at).min());
        let (users, moments): (Vec<_>, Vec<_>) = events.iter().map(|(user, _)| (*user, 7)).unzip();
        prop_assert_eq!(Posting::at_once(users.clone(), 7), Posting::new(users, moments));
    }

    #[test]
    fn bytes_that_were_changed_or_cut_off_do_no_harm(
        events in any_events(),
        place in any::<prop::sample::Index>(),
        flip in 1u8..,
    ) {
        let body = posting(&events).as_bytes().to_vec();
        let end = place.index(body.len());
        prop_assert!(Posting::parse(&body[..end]).is_err());
        let mut changed = body;
        changed[end] ^= flip;
        if let Ok(other) = Posting::parse(changed) {
            prop_assert_eq!(read(std::slice::from_ref(&other)).len(), other.len());
        }
    }

    #[test]
    fn every_event_is_handed_over_once_and_users_are_together(
        events in prop::collection::vec((0u32..60_000, 0i64..100, 0u32..3), 0..300),
    ) {
        let of = |marks: u32| {
            let events = events.iter().filter(|(_, _, kind)| *kind == marks);
            posting(&events.map(|(user, at, _)| (*user, *at)).collect())
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

/// Many users with few events and a few with many.
fn crowd() -> Events {
    let mut events: Events = (0..400_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) % 40_000 / (1 + n % 7), i64::from(n) * 1_000))
        .collect();
    events.sort_unstable();
    events
}

#[test]
fn parts_are_cut_between_blocks_of_users() {
    let events = crowd();
    let mut parts = Parts::default();
    events.iter().for_each(|(user, at)| parts.push(*user, *at));
    let parts = parts.finish();
    assert!(parts.len() > 1);
    assert_eq!(read(&parts), events);
    let blocks: Vec<u32> = parts.iter().flat_map(Posting::blocks).map(|block| block.number).collect();
    assert!(blocks.is_sorted_by(|one, other| one < other), "{blocks:?}");
    // A time to the millisecond of half a day takes four bytes, a user about two.
    assert!(parts.iter().map(Posting::bytes).sum::<usize>() < events.len() * 6);
}

#[test]
fn threads_share_users() {
    let events = crowd();
    let posting = posting(&events);
    let mut folds = vec![Events::new(); 3];
    // Some of the users, then the others.
    for blocks in [0..1, 1..u32::MAX] {
        fold_users(&mut folds, &[(3, &posting)], &blocks, &(0..i64::MAX), |fold, user, moment| {
            assert_eq!(moment.marks, 3);
            fold.push((user, moment.at));
        });
    }
    for fold in &folds {
        assert!(fold.is_sorted_by_key(|(user, _)| *user), "all events of a user come together");
    }
    let mut taken: Events = folds.concat();
    taken.sort_unstable();
    assert_eq!(taken, events);
    let users = |fold: &Events| fold.iter().map(|(user, _)| *user).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(folds.iter().map(|fold| users(fold).len()).sum::<usize>(), users(&events).len());
}

#[test]
fn slices_are_folded_once_and_whole() {
    let events = crowd();
    // Three days: in parts, whole, and of few users.
    let mut parts = Parts::default();
    events.iter().for_each(|(user, at)| parts.push(*user, *at));
    let few: Events = events.iter().copied().filter(|(user, _)| user % 1_000 == 7).collect();
    let mut arriving: Vec<(u32, Posting)> = parts.finish().into_iter().map(|part| (1, part)).collect();
    arriving.extend([(2, posting(&events)), (4, posting(&few))]);
    arriving.sort_by_key(|(_, part)| part.first_block());
    let mut at_once = Vec::new();
    let all: Vec<(u32, &Posting)> = arriving.iter().map(|(marks, part)| (*marks, part)).collect();
    user_by_user(&all, 0, i64::MAX, |user, moment| at_once.push((user, moment.at, moment.marks)));

    let (mut in_slices, mut folds) = (vec![Vec::new()], 0);
    let mut fold = |parts: &[(u32, Posting)], blocks: std::ops::Range<u32>| {
        folds += 1;
        let parts: Vec<(u32, &Posting)> = parts.iter().map(|(marks, part)| (*marks, part)).collect();
        fold_users(&mut in_slices, &parts, &blocks, &(0..i64::MAX), |fold, user, moment| {
            fold.push((user, moment.at, moment.marks));
        });
    };
    let mut slices = Slices::of(1_000);
    for (marks, part) in arriving {
        slices.push(marks, part, &mut fold);
    }
    slices.finish(&mut fold);
    assert!(folds > 1);
    let mut in_slices = in_slices.concat();
    in_slices.sort_unstable();
    at_once.sort_unstable();
    assert_eq!(in_slices, at_once);
}
