//! Cohorts: saved sets of users, by what they did or by name.
//!
//! A definition is a rule over sets. Its leaves are the users who did something, and lists of users; everything above
//! them is set algebra. Loading the leaves is the caller's part: [`Definition::leaves`] says what they are,
//! [`Definition::members`] puts them together.

use std::ops::Range;

use chrono::{DateTime, Days, NaiveDate, Utc};
use roaring::RoaringBitmap;

use crate::analytics::audience::Audience;
use crate::analytics::filter::Selection;
use crate::analytics::period::Period;
use crate::analytics::range::DateRange;
use crate::analytics::time_zone::TimeZone;
use crate::text::UserId;

mod parse;

pub use parse::{DefinitionParameters, MAX_LEAVES, MAX_USERS, forget_user};

/// Who belongs to a cohort.
#[derive(Clone, Debug, PartialEq)]
pub enum Definition {
    /// Whoever belongs to each of them.
    And(Vec<Definition>),
    /// Whoever belongs to at least one of them.
    Or(Vec<Definition>),
    /// Whoever does not belong to it.
    Not(Box<Definition>),
    /// Users told by what they did, or by their names.
    Leaf(Leaf),
}

/// Users of a definition that have to be looked up.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// Whoever did something.
    Did(Did),
    /// These, as far as there are such users.
    Users(Vec<UserId>),
}

/// Doing something, often enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Did {
    /// The events that count.
    pub events: Selection,
    /// How many of them it takes, 1 or more.
    pub at_least: u32,
    /// When.
    pub within: Within,
}

/// When something has to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// At any time.
    Ever,
    /// Today or on one of the days before it, so many in all.
    LastDays(u16),
    /// Then.
    Period(Period),
}

impl Within {
    /// The instants that are meant in a project whose days are those of `zone`; nothing for all of them.
    #[must_use]
    pub fn instants(self, zone: TimeZone, today: NaiveDate) -> Option<Range<DateTime<Utc>>> {
        let period = match self {
            Self::Ever => return None,
            Self::LastDays(days) => {
                let first = today.checked_sub_days(Days::new(u64::from(days).saturating_sub(1)));
                Period::Dates(DateRange::between(first.unwrap_or(NaiveDate::MIN), today))
            }
            Self::Period(period) => period,
        };
        Some(period.instants(zone))
    }
}

impl Definition {
    /// The leaves, from left to right.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            Self::Leaf(leaf) => vec![leaf],
        }
    }

    /// Who belongs to it, given the users of each leaf, from left to right.
    #[must_use]
    pub fn members(&self, leaves: Vec<RoaringBitmap>) -> Audience {
        self.take(&mut leaves.into_iter())
    }

    fn take(&self, leaves: &mut impl Iterator<Item = RoaringBitmap>) -> Audience {
        match self {
            Self::And(parts) => {
                parts.iter().fold(Audience::everybody(), |all, part| all.and(&part.take(leaves)))
            }
            Self::Or(parts) => parts.iter().fold(Audience::nobody(), |any, part| any.or(part.take(leaves))),
            Self::Not(part) => !part.take(leaves),
            Self::Leaf(_) => Audience::Those(leaves.next().unwrap_or_default()),
        }
    }
}
