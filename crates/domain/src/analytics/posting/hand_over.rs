//! From postings to the events of one user after the other.

use std::num::NonZero;
use std::ops::Range;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::Posting;
use super::block::{Block, USERS};
use crate::analytics::funnel::Moment;
use crate::ids::UserNo;

/// Events that are put in order together, if one user has no more.
const AT_ONCE: usize = 1 << 18;
/// Threads that fold one question's events.
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

/// Folds the events from `from` until before `to`, user by user, each with the marks of its posting, on as many threads
/// as there are cores. Each fold has all events of its users, and together they have all users.
pub fn fold_users<F: Send>(
    postings: &[(u32, &Posting)],
    from: i64,
    to: i64,
    begin: impl Fn() -> F + Sync,
    take: impl Fn(&mut F, UserNo, Moment) + Sync,
) -> Vec<F> {
    let blocks = by_number(postings);
    let units: Vec<&[(u32, Block<'_>)]> =
        blocks.chunk_by(|(_, one), (_, other)| one.number == other.number).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut fold, mut order) = (begin(), Order::default());
        while let Some(blocks) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
            order.hand_over(blocks, &(from..to), |user, moment| take(&mut fold, user, moment));
        }
        fold
    };
    let events: usize = postings.iter().map(|(_, posting)| posting.len()).sum();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(MOST_THREADS).min(events / EVENTS_OF_A_THREAD).min(units.len());
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut folds = vec![work()];
        for other in others {
            folds.push(other.join().unwrap_or_else(|panic| panic::resume_unwind(panic)));
        }
        folds
    })
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
