//! Paths: what users did after something, or before it.
//!
//! A path begins with an event of the type asked for and goes on with the user's next events, each at most the gap after
//! the one before it, until it has the length asked for. An event belongs to one path: a path that comes by another
//! event of that type goes on through it. Backwards, a path ends with the event and is followed into the past in
//! the same way. Only events of the period count. Events of a user at one time stand in the order of their types' names.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use crate::analytics::query_fault::{QueryFault, whole_number};
use crate::analytics::span;
use crate::ids::UserNo;
use crate::text::EventType;

const MAX_LENGTH: u64 = 20;
const MAX_LIMIT: u64 = 1_000;
/// The most different paths that are counted.
pub const MAX_DIFFERENT: usize = 500_000;

/// A question about paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathsQuery {
    /// The type at the end that is fixed.
    pub anchor: EventType,
    /// Which end that is.
    pub direction: Direction,
    /// The most events of a path, the anchor included.
    pub length: usize,
    /// The most time between two events of a path.
    pub gap: TimeDelta,
    /// How many paths to name.
    pub limit: usize,
}

/// Which way paths are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// They begin with the anchor.
    From,
    /// They end with it.
    To,
}

/// A question about paths, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PathsParameters {
    start_event: Option<String>,
    end_event: Option<String>,
    length: Option<Value>,
    gap: Option<String>,
    limit: Option<Value>,
}

impl TryFrom<PathsParameters> for PathsQuery {
    type Error = QueryFault;

    fn try_from(raw: PathsParameters) -> Result<Self, QueryFault> {
        let (field, anchor, direction) = match (raw.start_event, raw.end_event) {
            (Some(start), None) => ("start_event", start, Direction::From),
            (None, Some(end)) => ("end_event", end, Direction::To),
            (None, None) => {
                return Err(QueryFault::new("start_event", "required", "or end_event is required"));
            }
            _ => {
                return Err(QueryFault::new(
                    "end_event",
                    "conflicting_parameters",
                    "cannot stand beside start_event",
                ));
            }
        };
        let number = |field, value: Option<&Value>, default, min, max| {
            whole_number(field, value, default, min, max).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        Ok(Self {
            anchor: EventType::parse(&anchor)
                .map_err(|fault| QueryFault::new(field, "invalid_event_type", fault))?,
            direction,
            length: number("length", raw.length.as_ref(), 5, 2, MAX_LENGTH)?,
            gap: span::parse("gap", raw.gap.as_deref(), TimeDelta::minutes(30), 31)?,
            limit: number("limit", raw.limit.as_ref(), 20, 1, MAX_LIMIT)?,
        })
    }
}

/// A path that somebody took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The types of its events, in the order in which they happened.
    pub events: Vec<String>,
    /// How often it was taken.
    pub count: u64,
    /// By how many distinct users.
    pub users: u64,
}

#[derive(Default)]
struct Taken {
    count: u64,
    users: u64,
    last_user: Option<UserNo>,
}

/// Takes in events user by user and counts paths.
pub struct PathsFold<'q> {
    query: &'q PathsQuery,
    names: Vec<String>,
    places: HashMap<String, u32>,
    user: Option<UserNo>,
    events: Vec<(i64, u32)>,
    taken: HashMap<Vec<u32>, Taken>,
}

impl<'q> PathsFold<'q> {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(query: &'q PathsQuery) -> Self {
        Self {
            query,
            names: Vec::new(),
            places: HashMap::new(),
            user: None,
            events: Vec::new(),
            taken: HashMap::new(),
        }
    }

    /// Takes in an event, its time in microseconds. All events of a user must come together, in whatever order.
    ///
    /// # Errors
    /// More than [`MAX_DIFFERENT`] paths.
    pub fn push(&mut self, user: UserNo, at: i64, event_type: &str) -> Result<(), QueryFault> {
        if self.user != Some(user) {
            self.close_user()?;
            self.user = Some(user);
        }
        let place = match self.places.get(event_type) {
            Some(place) => *place,
            None => {
                let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.push(event_type.to_owned());
                self.places.insert(event_type.to_owned(), place);
                place
            }
        };
        self.events.push((at, place));
        Ok(())
    }

    /// Bytes of memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let path = size_of::<(Vec<u32>, Taken)>() + self.query.length * size_of::<u32>();
        // A map is at most about half empty; in the end there is a list beside it.
        self.taken.len() * path * 3 + self.events.capacity() * size_of::<(i64, u32)>()
    }

    /// The paths taken most: by count, then by users, then by their events.
    ///
    /// # Errors
    /// More than [`MAX_DIFFERENT`] paths.
    pub fn finish(mut self) -> Result<Vec<Path>, QueryFault> {
        self.close_user()?;
        let name = |place: &u32| {
            usize::try_from(*place).ok().and_then(|place| self.names.get(place)).cloned().unwrap_or_default()
        };
        let named = |(path, taken): (Vec<u32>, Taken)| Path {
            events: path.iter().map(name).collect(),
            count: taken.count,
            users: taken.users,
        };
        let mut paths: Vec<Path> = self.taken.into_iter().map(named).collect();
        paths.sort_by(|a, b| {
            (Reverse(a.count), Reverse(a.users), &a.events).cmp(&(
                Reverse(b.count),
                Reverse(b.users),
                &b.events,
            ))
        });
        paths.truncate(self.query.limit);
        Ok(paths)
    }

    fn close_user(&mut self) -> Result<(), QueryFault> {
        let names = &self.names;
        let name = |place: u32| usize::try_from(place).ok().and_then(|place| names.get(place));
        self.events
            .sort_by(|(a, a_type), (b, b_type)| a.cmp(b).then_with(|| name(*a_type).cmp(&name(*b_type))));
        if self.query.direction == Direction::To {
            self.events.reverse();
        }
        let anchor = self.places.get(self.query.anchor.as_str()).copied();
        let gap = self.query.gap.num_microseconds().unwrap_or(i64::MAX);
        let mut path: Vec<u32> = Vec::new();
        let mut last = 0;
        let mut paths = Vec::new();
        for (at, event_type) in self.events.drain(..) {
            if !path.is_empty() && (path.len() == self.query.length || (at - last).abs() > gap) {
                paths.push(std::mem::take(&mut path));
            }
            if !path.is_empty() || Some(event_type) == anchor {
                path.push(event_type);
                last = at;
            }
        }
        if !path.is_empty() {
            paths.push(path);
        }
        for mut path in paths {
            if self.query.direction == Direction::To {
                path.reverse();
            }
            let taken = self.taken.entry(path).or_default();
            taken.count += 1;
            if taken.last_user != self.user {
                taken.last_user = self.user;
                taken.users += 1;
            }
        }
        if self.taken.len() > MAX_DIFFERENT {
            let reason =
                format_args!("gives more than {MAX_DIFFERENT} different paths: ask for shorter ones");
            return Err(QueryFault::new("length", "too_many_paths", reason));
        }
        Ok(())
    }
}
