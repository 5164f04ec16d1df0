//! A block of a posting: some thousand consecutive users.

use super::{HEADER, PADDING, UNITS, VERSION};
use crate::ids::UserNo;

/// The lower bits of a number, which tell the users of a block apart.
const BITS: u32 = 14;
/// The numbers of a block.
pub(super) const USERS: usize = 1 << BITS;

/// The blocks of a body, one after the other.
pub(super) struct Blocks<'b> {
    origin: i64,
    tick: i64,
    width: usize,
    /// The least number of the next one.
    next: u32,
    rest: &'b [u8],
}

/// A block, to be read.
#[derive(Clone, Copy)]
pub(super) struct Block<'b> {
    pub(super) number: u32,
    pub(super) events: usize,
    origin: i64,
    tick: i64,
    width: usize,
    users: &'b [u8],
    /// And whatever follows them.
    times: &'b [u8],
}

impl<'b> Blocks<'b> {
    /// Nothing where the header cannot be read.
    pub(super) fn of(body: &'b [u8]) -> Option<Self> {
        let (header, rest) = body.split_first_chunk::<HEADER>()?;
        let [version, width, unit, origin @ ..] = header;
        let width = usize::from(*width);
        if *version != VERSION || !(1..=8).contains(&width) {
            return None;
        }
        let tick = *UNITS.get(usize::from(*unit))?;
        Some(Self { origin: i64::from_le_bytes(*origin), tick, width, next: 0, rest })
    }

    /// The earliest time.
    pub(super) fn origin(&self) -> i64 {
        self.origin
    }

    /// Whether everything was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest == [0; PADDING]
    }
}

impl<'b> Iterator for Blocks<'b> {
    type Item = Block<'b>;

    fn next(&mut self) -> Option<Block<'b>> {
        if self.rest.len() <= PADDING {
            return None;
        }
        let mut rest = self.rest;
        let number = self.next.checked_add(u32::try_from(varint(&mut rest)?).ok()?)?;
        let events = usize::try_from(varint(&mut rest)?).ok()?;
        let length = usize::try_from(varint(&mut rest)?).ok()?;
        let (users, times) = rest.split_at_checked(length)?;
        self.rest = times.get(events.checked_mul(self.width)?..)?;
        self.next = number.checked_add(1)?;
        let Self { origin, tick, width, .. } = *self;
        (self.rest.len() >= PADDING).then_some(Block { number, events, origin, tick, width, users, times })
    }
}

impl Block<'_> {
    /// The number of a user's block.
    pub(super) fn of(user: UserNo) -> u32 {
        user >> BITS
    }

    /// The lowest number of a block.
    pub(super) fn first_user(number: u32) -> UserNo {
        number << BITS
    }

    /// The user in this place.
    pub(super) fn user(&self, place: usize) -> UserNo {
        Self::first_user(self.number).saturating_add(UserNo::try_from(place).unwrap_or(UserNo::MAX))
    }

    /// Hands over the place of each user in the block, and how many events they have; whether that was all.
    pub(super) fn each_user(&self, mut take: impl FnMut(usize, usize)) -> bool {
        let (mut rest, mut next) = (self.users, 0usize);
        while !rest.is_empty() {
            let Some(gap) = varint(&mut rest) else { return false };
            let count = if gap & 1 == 0 { Some(1) } else { varint(&mut rest).and_then(|n| n.checked_add(2)) };
            let place = usize::try_from(gap >> 1).ok().and_then(|gap| next.checked_add(gap));
            let count = count.and_then(|count| usize::try_from(count).ok());
            let Some((place, count)) = place.zip(count).filter(|(place, _)| *place < USERS) else {
                return false;
            };
            take(place, count);
            next = place + 1;
        }
        true
    }

    /// The time of the event in this place of all of them.
    pub(super) fn time(&self, place: usize) -> i64 {
        let from = place * self.width;
        let bytes = self.times.get(from..).and_then(<[u8]>::first_chunk::<8>);
        let ticks = u64::from_le_bytes(*bytes.unwrap_or(&[0; 8])) & (u64::MAX >> (64 - 8 * self.width));
        // An origin and ticks that were written from times give these times again.
        self.origin.wrapping_add(ticks.cast_signed().wrapping_mul(self.tick))
    }

    /// Hands over users and times.
    pub(super) fn each(&self, take: &mut impl FnMut(UserNo, i64)) {
        let mut begun = 0;
        self.each_user(|place, count| {
            let user = self.user(place);
            for place in begun..begun + count {
                take(user, self.time(place));
            }
            begun += count;
        });
    }

    /// Whether users can be read, and have as many events as there are times.
    pub(super) fn is_sound(&self) -> bool {
        let mut events = 0usize;
        let is_whole = self.each_user(|_, count| events = events.saturating_add(count));
        is_whole && events == self.events && self.number <= Self::of(UserNo::MAX)
    }
}

/// Writes the events of a block, and returns the least number that the next one may have.
pub(super) fn write(
    events: &[(UserNo, i64)],
    next: u32,
    body: &mut Vec<u8>,
    ticks: impl Fn(i64) -> u64,
    width: usize,
) -> u32 {
    let number = events.first().map_or(next, |(user, _)| Block::of(*user));
    let (mut users, mut expected) = (Vec::new(), Block::first_user(number));
    for of_user in events.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((user, _)) = of_user.first() else { continue };
        let gap = u64::from(user - expected) << 1;
        match of_user.len() {
            1 => put(&mut users, gap),
            several => {
                put(&mut users, gap | 1);
                put(&mut users, wide(several - 2));
            }
        }
        expected = user.saturating_add(1);
    }
    put(body, u64::from(number - next));
    put(body, wide(events.len()));
    put(body, wide(users.len()));
    body.extend(users);
    for (_, at) in events {
        body.extend(ticks(*at).to_le_bytes().iter().take(width));
    }
    number.saturating_add(1)
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or(0));
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0u64, 0u32);
    loop {
        let (byte, later) = rest.split_first()?;
        *rest = later;
        number |= u64::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 63)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}
