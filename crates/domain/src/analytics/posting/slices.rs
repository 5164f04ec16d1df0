//! Parts of many days that arrive in the order of their users, folded some users after the other.

use std::ops::Range;

use super::Posting;

/// The parts that some user still to be folded may be in.
#[derive(Debug)]
pub struct Slices {
    /// Events that are folded together, if they are of users of whom everything is here.
    size: usize,
    parts: Vec<(u32, Posting)>,
    /// The blocks before this have been folded.
    folded: u32,
    /// Events that have come since then.
    waiting: usize,
}

impl Slices {
    /// None yet.
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self { size, parts: Vec::new(), folded: 0, waiting: 0 }
    }

    /// Takes in a part with its marks, whose first block is no less than that of any before. Hands over the parts of
    /// the blocks that no part still to come has, once they are worth it, and then lets go of what is before the new one.
    pub fn push(&mut self, marks: u32, part: Posting, fold: impl FnOnce(&[(u32, Posting)], Range<u32>)) {
        let first = part.first_block().unwrap_or(self.folded);
        if self.waiting >= self.size && first > self.folded {
            fold(&self.parts, self.folded..first);
            self.parts.retain(|(_, part)| part.last_block().is_some_and(|last| last >= first));
            (self.folded, self.waiting) = (first, 0);
        }
        self.waiting += part.len();
        self.parts.push((marks, part));
    }

    /// Hands over the rest.
    pub fn finish(self, fold: impl FnOnce(&[(u32, Posting)], Range<u32>)) {
        fold(&self.parts, self.folded..u32::MAX);
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.bytes()).sum()
    }
}
