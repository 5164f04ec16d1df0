//! Postings of many events, cut into parts of which each can be read by itself.

use super::Posting;
use super::block::Block;
use crate::ids::UserNo;

/// A part has at least so many events, if there are more users after it.
const LEAST: usize = 8 << 10;

/// Takes in events by user and time, and cuts between blocks of users.
#[derive(Debug, Default)]
pub struct Parts {
    events: Vec<(UserNo, i64)>,
    done: Vec<Posting>,
}

impl Parts {
    /// Takes in an event that comes after all before.
    pub fn push(&mut self, user: UserNo, at: i64) {
        let last = self.events.last().map(|(last, _)| Block::of(*last));
        if self.events.len() >= LEAST && last != Some(Block::of(user)) {
            self.cut();
        }
        self.events.push((user, at));
    }

    /// All parts.
    #[must_use]
    pub fn finish(mut self) -> Vec<Posting> {
        if !self.events.is_empty() {
            self.cut();
        }
        self.done
    }

    fn cut(&mut self) {
        self.done.push(Posting::of_sorted(&self.events));
        self.events.clear();
    }
}
