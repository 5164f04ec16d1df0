//! Who did something when, and nothing else: what funnels and breakdowns without filters are made of, in about six bytes
//! an event, in memory and in the database.
//!
//! # Format
//!
//! A posting is a header, blocks, and eight bytes of zero. Integers are little-endian; a *varint* is an unsigned integer
//! in groups of seven bits, the lowest first, with the eighth bit set in all bytes but its last (LEB128).
//!
//! | header | |
//! |---|---|
//! | version | a byte: 1 |
//! | width | a byte, 1 to 8: the bytes of a time |
//! | unit | a byte: a tick is 1 µs if it is 0, 1 ms if it is 1, 1 s if it is 2 |
//! | origin | 8 bytes, signed: the earliest time, in microseconds since 1970 |
//!
//! Users are told apart by blocks of 16,384 numbers. Blocks follow each other by their numbers, and only those with
//! events are there:
//!
//! | block | |
//! |---|---|
//! | number | varint: how many blocks were left out since the one before, or since the beginning |
//! | events | varint: how many |
//! | users' bytes | varint: how many |
//! | users | by their numbers, each a varint of twice the numbers left out since the one before, or since the beginning of the block, and one more if the user has several events; then, after it, a varint of their count less 2 |
//! | times | of each event, user by user, `width` bytes: ticks since the origin, rising for each user |
//!
//! Times have one width because that is read without a decision per byte, and because the times of a user on a day are
//! seldom near enough to each other for differences to be shorter. The zeros let any time be read as eight bytes.

mod block;
mod hand_over;
mod parts;
mod slices;

use std::borrow::Cow;

use thiserror::Error;

use crate::ids::UserNo;
use block::{Block, Blocks};

pub use hand_over::{HANDING_OVER, fold_users, threads, user_by_user};
pub use parts::Parts;
pub use slices::Slices;

const VERSION: u8 = 1;
/// Version, width, unit, origin.
const HEADER: usize = 11;
/// Lets any time be read as eight bytes.
const PADDING: usize = 8;
/// Microseconds in a tick.
const UNITS: [i64; 3] = [1, 1_000, 1_000_000];

/// The users and the times of some events, by user and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    events: usize,
    body: Vec<u8>,
}

/// Bytes that are no posting.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no posting: {0}")]
pub struct PostingFault(&'static str);

impl Default for Posting {
    fn default() -> Self {
        Self::of_sorted(&[])
    }
}

impl Posting {
    /// Users, and times in microseconds since 1970, of as many events, in any order.
    #[must_use]
    pub fn new(users: Vec<UserNo>, times: Vec<i64>) -> Self {
        let mut events: Vec<(UserNo, i64)> = users.into_iter().zip(times).collect();
        events.sort_unstable();
        Self::of_sorted(&events)
    }

    /// Users of events that all were at `moment`, in microseconds since 1970, in any order.
    #[must_use]
    pub fn at_once(mut users: Vec<UserNo>, moment: i64) -> Self {
        users.sort_unstable();
        let events: Vec<(UserNo, i64)> = users.into_iter().map(|user| (user, moment)).collect();
        Self::of_sorted(&events)
    }

    /// Of events by user and time.
    fn of_sorted(events: &[(UserNo, i64)]) -> Self {
        let times = || events.iter().map(|(_, at)| *at);
        let origin = times().min().unwrap_or(0);
        let (mut unit, mut longest) = (UNITS.len() - 1, 0);
        for at in times() {
            let since = at.abs_diff(origin);
            longest = longest.max(since);
            while unit > 0 && !since.is_multiple_of(micros(unit)) {
                unit -= 1;
            }
        }
        let ticks = micros(unit);
        let width = (8 - (longest / ticks).leading_zeros() / 8).max(1);
        let width = usize::try_from(width).unwrap_or(8);
        let mut body = Vec::with_capacity(HEADER + events.len() * (width + 2) + PADDING);
        body.extend([VERSION, byte(width), byte(unit)]);
        body.extend(origin.to_le_bytes());
        let mut next = 0;
        for block in events.chunk_by(|(one, _), (other, _)| Block::of(*one) == Block::of(*other)) {
            next = block::write(block, next, &mut body, |at| at.abs_diff(origin) / ticks, width);
        }
        body.extend([0; PADDING]);
        body.shrink_to_fit();
        Self { events: events.len(), body }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// When the bytes are no posting.
    pub fn parse<'b>(body: impl Into<Cow<'b, [u8]>>) -> Result<Self, PostingFault> {
        let body = body.into();
        let mut blocks = Blocks::of(&body).ok_or(PostingFault("its header cannot be read"))?;
        let mut events = 0usize;
        for block in &mut blocks {
            if !block.is_sound() {
                return Err(PostingFault("a block is not sound"));
            }
            events = events.saturating_add(block.events);
        }
        if !blocks.is_at_end() {
            return Err(PostingFault("it ends within a block"));
        }
        Ok(Self { events, body: body.into_owned() })
    }

    /// To be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.body
    }

    /// How many events these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// The earliest time, in microseconds since 1970; nothing where there is no event.
    #[must_use]
    pub fn earliest(&self) -> Option<i64> {
        Blocks::of(&self.body).filter(|_| self.events > 0).map(|blocks| blocks.origin())
    }

    /// The number of the first block of users; nothing where there is none. Postings of some events that were cut into
    /// [`Parts`] follow each other by it.
    #[must_use]
    pub fn first_block(&self) -> Option<u32> {
        self.blocks().next().map(|block| block.number)
    }

    /// The number of the last block of users.
    #[must_use]
    pub fn last_block(&self) -> Option<u32> {
        self.blocks().last().map(|block| block.number)
    }

    fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        Blocks::of(&self.body).into_iter().flatten()
    }

    /// Hands over each user once, by number, and how many events they have.
    pub fn each_user(&self, mut take: impl FnMut(UserNo, usize)) {
        for block in self.blocks() {
            block.each_user(|place, count| take(block.user(place), count));
        }
    }

    /// Hands over users and times, by user and time.
    pub fn each(&self, mut take: impl FnMut(UserNo, i64)) {
        for block in self.blocks() {
            block.each(&mut take);
        }
    }
}

fn micros(unit: usize) -> u64 {
    UNITS.get(unit).map_or(1, |micros| micros.unsigned_abs())
}

fn byte(small: usize) -> u8 {
    u8::try_from(small).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests;
