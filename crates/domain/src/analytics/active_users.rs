//! Daily, weekly and monthly active users.

use chrono::NaiveDate;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::analytics::activity::Activity;
use crate::analytics::event_selector::EventSelector;
use crate::analytics::query_fault::{QueryFault, word};
use crate::analytics::range::DateRange;

/// How many days back from each date a user counts as active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// DAU: the date alone.
    Day,
    /// WAU: the 7 days that end on the date.
    Week,
    /// MAU: the 30 days that end on the date.
    Month,
}

impl Window {
    /// Its length in days.
    #[must_use]
    pub fn days(self) -> u16 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    /// What the number is called.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        match self {
            Self::Day => "dau",
            Self::Week => "wau",
            Self::Month => "mau",
        }
    }

    /// The days whose activity must be loaded to answer for `range`.
    #[must_use]
    pub fn needed(self, range: DateRange) -> DateRange {
        range.preceded_by(u64::from(self.days()) - 1)
    }
}

/// How many distinct users were active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveUsersQuery {
    /// How many days back from each date.
    pub window: Window,
    /// Doing what.
    pub event: EventSelector,
}

/// A question about active users, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActiveUsersParameters {
    window: Option<String>,
    event_type: Option<String>,
}

impl TryFrom<ActiveUsersParameters> for ActiveUsersQuery {
    type Error = QueryFault;

    fn try_from(raw: ActiveUsersParameters) -> Result<Self, QueryFault> {
        let words = [("day", Window::Day), ("week", Window::Week), ("month", Window::Month)];
        Ok(Self {
            window: word("window", raw.window.as_deref(), Window::Day, &words)?,
            event: EventSelector::parse("event_type", raw.event_type.as_deref())?,
        })
    }
}

/// A point of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveUsers {
    /// The last day of the window.
    pub date: NaiveDate,
    /// Distinct users active within the window.
    pub users: u64,
}

/// The active users for every date of `range`, days without activity included. `activity` must hold the days of
/// [`Window::needed`]; others do no harm.
#[must_use]
pub fn active_users(window: Window, range: DateRange, activity: &Activity) -> Vec<ActiveUsers> {
    if window == Window::Day {
        let users = |date| activity.on(date).map_or(0, RoaringBitmap::len);
        return range.days().map(|date| ActiveUsers { date, users: users(date) }).collect();
    }
    let mut sliding = SlidingUnion::default();
    let mut held = 0;
    let mut series = Vec::new();
    for date in window.needed(range).days() {
        sliding.push(activity.on(date));
        held += 1;
        if held > window.days() {
            sliding.pop();
            held -= 1;
        }
        if range.contains(date) {
            series.push(ActiveUsers { date, users: sliding.len() });
        }
    }
    series
}

/// The union of a queue of sets, in about two unions for each set that passes through instead of one for every set
/// in the queue at every step.
///
/// The queue is two stacks. Sets arrive on `newer`, with their running union beside it; when `older` runs out, `newer`
/// is turned over onto it and each set becomes the union of itself and all that came after. What leaves `older` is
/// written over by the next turn: a set of a million users is made of sixteen pieces, and to have them given and taken
/// back by the system takes about as long as the unions.
#[derive(Default)]
struct SlidingUnion<'a> {
    newer: Vec<Option<&'a RoaringBitmap>>,
    newer_union: RoaringBitmap,
    older: Vec<RoaringBitmap>,
    spare: Vec<RoaringBitmap>,
}

impl<'a> SlidingUnion<'a> {
    fn push(&mut self, set: Option<&'a RoaringBitmap>) {
        if let Some(users) = set {
            self.newer_union |= users;
        }
        self.newer.push(set);
    }

    fn pop(&mut self) {
        if self.older.is_empty() {
            for set in self.newer.drain(..).rev() {
                let mut union = self.spare.pop().unwrap_or_default();
                union.clone_from(self.older.last().unwrap_or(&RoaringBitmap::new()));
                if let Some(users) = set {
                    union |= users;
                }
                self.older.push(union);
            }
            self.newer_union.clear();
        }
        self.spare.extend(self.older.pop());
    }

    fn len(&self) -> u64 {
        match self.older.last() {
            Some(older_union) => older_union.union_len(&self.newer_union),
            None => self.newer_union.len(),
        }
    }
}
