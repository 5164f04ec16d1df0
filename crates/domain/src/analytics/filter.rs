//! Which events a question is about: conditions on an event, joined by `and`, `or` and `not`.
//!
//! Every condition is true or false of an event, never unknown: a property that is absent makes any condition on it
//! false, and `neq` and `not` are the complement. So `A or not A` selects every event.

mod condition;
mod parse;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Number;

use crate::analytics::audience::Audience;
use crate::analytics::event_selector::EventSelector;
use crate::ids::CohortId;
use crate::text::PropertyName;

pub use condition::MAX_VALUES;
pub use parse::{FilterParameters, MAX_CONDITIONS, MAX_DEPTH};

/// A condition on events, of bounded size. Valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Each of them holds.
    And(Vec<Filter>),
    /// At least one of them holds.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The event's type passes.
    EventType(TextTest),
    /// The event's user passes.
    User(TextTest),
    /// The event's time is on this side of an instant.
    Time(Comparison, DateTime<Utc>),
    /// The property passes.
    Property(PropertyName, PropertyTest),
    /// The user belongs to at least one of these cohorts. Nothing can be read before it is known who that is: see
    /// [`Filter::resolve`].
    Cohort(Vec<CohortId>),
    /// The user is one of these.
    Among(Arc<Audience>),
}

/// A test of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTest {
    /// It is one of these, character by character.
    In(Vec<String>),
    /// It has this in it.
    Contains(String),
    /// It stands so to this one in the order of code points.
    Compare(Comparison, String),
}

/// A test of a property's value.
#[derive(Clone, Debug, PartialEq)]
pub enum PropertyTest {
    /// The property is there, and not `null`.
    Exists,
    /// It equals one of these: same type, same value. 1 and 1.0 are the same number.
    In(Vec<Scalar>),
    /// It is a text with this in it.
    Contains(String),
    /// It is a number that stands so to this one.
    CompareNumber(Comparison, Number),
    /// It is a text that stands so to this one in the order of code points.
    CompareText(Comparison, String),
}

/// What a property can be compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// True or false.
    Bool(bool),
}

/// How one value stands to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Greater, later.
    Greater,
    /// Greater or equal.
    AtLeast,
    /// Less, earlier.
    Less,
    /// Less or equal.
    AtMost,
}

impl Filter {
    /// The cohorts that it asks for.
    #[must_use]
    pub fn cohorts(&self) -> Vec<CohortId> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::cohorts).collect(),
            Self::Not(part) => part.cohorts(),
            Self::Cohort(ids) => ids.clone(),
            _ => Vec::new(),
        }
    }

    /// Puts the users of cohorts in the place of their ids; a cohort that is not in `members` is left as it is.
    pub fn resolve(&mut self, members: &BTreeMap<CohortId, Audience>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.resolve(members)),
            Self::Not(part) => part.resolve(members),
            Self::Cohort(ids) => {
                let found: Option<Vec<&Audience>> = ids.iter().map(|id| members.get(id)).collect();
                if let Some(found) = found {
                    let any = found.into_iter().cloned().fold(Audience::nobody(), Audience::or);
                    *self = Self::Among(Arc::new(any));
                }
            }
            _ => {}
        }
    }

    /// Whose events pass, if who the user is decides it.
    fn audience(&self) -> Option<Audience> {
        match self {
            Self::And(parts) => {
                parts.iter().try_fold(Audience::everybody(), |all, part| Some(all.and(&part.audience()?)))
            }
            Self::Or(parts) => {
                parts.iter().try_fold(Audience::nobody(), |any, part| Some(any.or(part.audience()?)))
            }
            Self::Not(part) => Some(!part.audience()?),
            Self::Among(users) => Some(Audience::clone(users)),
            _ => None,
        }
    }
}

/// The events that a question, a series or a step is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Of this type, or of any.
    pub event: EventSelector,
    /// That pass this as well.
    pub filter: Option<Filter>,
}

impl Selection {
    /// All events of a type, or of any.
    #[must_use]
    pub fn of(event: EventSelector) -> Self {
        Self { event, filter: None }
    }

    /// Whether only the type matters, so that roll-ups can answer.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.filter.is_none()
    }

    /// Whose events are selected, where only the type and the user matter, so that sets of users can answer.
    #[must_use]
    pub fn audience(&self) -> Option<Audience> {
        self.filter.as_ref().map_or(Some(Audience::everybody()), Filter::audience)
    }

    /// Those of them that pass `filter` as well.
    #[must_use]
    pub fn and(mut self, filter: Option<Filter>) -> Self {
        self.filter = match (self.filter, filter) {
            (Some(one), Some(other)) => Some(Filter::And(vec![one, other])),
            (one, other) => one.or(other),
        };
        self
    }
}
