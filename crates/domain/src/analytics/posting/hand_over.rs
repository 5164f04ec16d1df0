//! From postings to the events of one user after the other.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Posting;
use super::block::{Block, USERS};
use crate::analytics::funnel::Moment;
use crate::ids::UserNo;

/// Events that are put in order together, if one user has no more.
const AT_ONCE: usize = 1 << 18;
const MOST_THREADS: usize = 4;
/// With fewer events than this for each, threads take longer to begin than to fold.
const EVENTS_OF_A_THREAD: usize = 50_000;
/// Bytes of memory that handing over takes at most.
pub const HANDING_OVER: usize =
    MOST_THREADS * (AT_ONCE * size_of::<Moment>() + USERS * 3 * size_of::<usize>());

/// Hands over the events from `from` until before `to`, user by user, each with the marks of its posting. The memory it
/// takes does not grow with the number of events.
pub fn user_by_user(postings: &[(u32, &Posting)], from: i64, to: i64, mut take: impl FnMut(UserNo, Moment)) {
    let mut order = Order::default();
    for blocks in by_number(postings).chunk_by(|(_, one), (_, other)| one.number == other.number) {
        order.hand_over(blocks, &(from..to), &mut take);
    }
}

/// How many threads fold one question's events: as many as there are cores, up to a few.
#[must_use]
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS)
}

/// Folds the events within `instants` of the users of some `blocks`, user by user, each with the marks of its posting: a
/// thread for each of `folds`, of which one gets all events of a user.
pub fn fold_users<F: Send>(
    folds: &mut [F],
    postings: &[(u32, &Posting)],
    blocks: &Range<u32>,
    instants: &Range<i64>,
    take: impl Fn(&mut F, UserNo, Moment) + Sync,
) {
    let mut found = by_number(postings);
    found.retain(|(_, block)| blocks.contains(&block.number));
    let events: usize = found.iter().map(|(_, block)| block.events).sum();
    let units: Vec<&[(u32, Block<'_>)]> =
        found.chunk_by(|(_, one), (_, other)| one.number == other.number).collect();
    let next = AtomicUsize::new(0);
    let work = |fold: &mut F| {
        let mut order = Order::default();
        while let Some(blocks) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            order.hand_over(blocks, instants, |user, moment| take(fold, user, moment));
        }
    };
    let work = &work;
    let enough = (events / EVENTS_OF_A_THREAD).clamp(1, units.len().max(1));
    let Some((first, others)) = folds.split_first_mut() else { return };
    thread::scope(|scope| {
        for fold in others.iter_mut().take(enough - 1) {
            scope.spawn(move || work(fold));
        }
        work(first);
    });
}

fn by_number<'p>(postings: &[(u32, &'p Posting)]) -> Vec<(u32, Block<'p>)> {
    let blocks =
        postings.iter().flat_map(|(marks, posting)| posting.blocks().map(move |block| (*marks, block)));
    let mut blocks: Vec<_> = blocks.collect();
    blocks.sort_by_key(|(_, block)| block.number);
    blocks
}

/// Puts the events of a block of users in order. Kept from block to block for its memory alone.
#[derive(Default)]
struct Order {
    /// How many events each user has.
    counts: Vec<usize>,
    /// Where those of each begin, and where they end so far.
    slots: Vec<Range<usize>>,
    moments: Vec<Moment>,
}

impl Order {
    /// Hands over the events of blocks of one number.
    fn hand_over(
        &mut self,
        blocks: &[(u32, Block<'_>)],
        instants: &Range<i64>,
        mut take: impl FnMut(UserNo, Moment),
    ) {
        let Some(number) = blocks.first().map(|(_, block)| block.number) else { return };
        self.counts.clear();
        self.counts.resize(USERS, 0);
        for (_, block) in blocks {
            block.each_user(|place, count| {
                if let Some(sum) = self.counts.get_mut(place) {
                    *sum += count;
                }
            });
        }
        let mut first = 0;
        while first < USERS {
            // As many users as have few enough events together.
            self.slots.clear();
            let mut begun = 0;
            for count in self.counts.iter().skip(first) {
                if begun > 0 && begun + count > AT_ONCE {
                    break;
                }
                self.slots.push(begun..begun);
                begun += count;
            }
            self.sort(blocks, first, begun, instants);
            for (place, slot) in self.slots.iter().enumerate() {
                let place = UserNo::try_from(first + place).unwrap_or(UserNo::MAX);
                let user = Block::first_user(number).saturating_add(place);
                for moment in self.moments.get(slot.clone()).unwrap_or_default() {
                    take(user, *moment);
                }
            }
            first += self.slots.len();
        }
    }

    /// Puts the events of the users from `first` on, as many as there are slots, into these. Counting sort: how many each
    /// user has tells where those of the next one begin.
    fn sort(&mut self, blocks: &[(u32, Block<'_>)], first: usize, events: usize, instants: &Range<i64>) {
        if self.moments.len() < events {
            self.moments.resize(events, Moment { at: 0, marks: 0 });
        }
        for (marks, block) in blocks {
            let mut begun = 0;
            block.each_user(|place, count| {
                let times = begun..begun + count;
                begun = times.end;
                let Some(slot) = place.checked_sub(first).and_then(|place| self.slots.get_mut(place)) else {
                    return;
                };
                for at in times.map(|place| block.time(place)).filter(|at| instants.contains(at)) {
                    if let Some(moment) = self.moments.get_mut(slot.end) {
                        *moment = Moment { at, marks: *marks };
                    }
                    slot.end += 1;
                }
            });
        }
    }
}
