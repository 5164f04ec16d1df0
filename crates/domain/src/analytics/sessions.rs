//! Sessions: how long users stayed, where they came in and where they left.
//!
//! The events of a user with the same session id are one session. Of a user's events without one, those that follow each
//! other with at most the gap in between are one session. A session is made of the events of the period alone: one that
//! reaches beyond it is cut there. It belongs to the point of time at which it begins, and lasts from its first event to
//! its last. A session of one event is a **bounce**. Events of a user at one time stand in the order of their types' names.

use std::cmp::Reverse;
use std::collections::HashMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::analytics::buckets::{Bucket, Width};
use crate::analytics::funnel;
use crate::analytics::interval::Interval;
use crate::analytics::query_fault::{QueryFault, whole_number, word};
use crate::analytics::span;
use crate::ids::UserNo;
use crate::text::UserId;

/// The most time between two events of a session without an id, where nobody says otherwise.
pub const GAP: TimeDelta = TimeDelta::minutes(30);

/// What a session without an id is called: by its user and the time of its first event.
#[must_use]
pub fn name(user: &UserId, first: DateTime<Utc>) -> String {
    format!("{user}@{}", first.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// When the session of each of these events of a user began. They have no session id, follow each other with none left
/// out, the latest first, and `earliest` is when that of the last began.
#[must_use]
pub fn beginnings(times: &[DateTime<Utc>], earliest: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let (mut begun, mut before) = (earliest, None);
    let mut beginnings: Vec<DateTime<Utc>> = times
        .iter()
        .rev()
        .map(|time| {
            if before.replace(*time).is_some_and(|before| *time - before > GAP) {
                begun = *time;
            }
            begun
        })
        .collect();
    beginnings.reverse();
    beginnings
}

/// A question about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionsQuery {
    /// The length of a point.
    pub interval: Width,
    /// The most time between two events of a session without an id.
    pub gap: TimeDelta,
    /// How many entries and exits to name.
    pub limit: usize,
}

/// A question about sessions, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsParameters {
    interval: Option<String>,
    gap: Option<String>,
    limit: Option<Value>,
}

impl TryFrom<SessionsParameters> for SessionsQuery {
    type Error = QueryFault;

    fn try_from(raw: SessionsParameters) -> Result<Self, QueryFault> {
        let limit = whole_number("limit", raw.limit.as_ref(), 10, 1, 1_000)?;
        let day = Width::Calendar(Interval::Day);
        Ok(Self {
            interval: word("interval", raw.interval.as_deref(), day, &Width::WORDS)?,
            gap: span::parse("gap", raw.gap.as_deref(), GAP, 1)?,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }
}

/// What is known of some sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// How many they are.
    pub sessions: u64,
    /// The distinct users who had them.
    pub users: u64,
    /// Their events.
    pub events: u64,
    /// Those of one event.
    pub bounces: u64,
    /// The mean of their lengths.
    pub mean_seconds: Option<f64>,
    /// The median of their lengths.
    pub median_seconds: Option<f64>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sessions {
    /// All of them.
    pub all: Figures,
    /// Those that begin in each bucket.
    pub buckets: Vec<Figures>,
    /// The types of first events, with the number of sessions, most first.
    pub entries: Vec<(String, u64)>,
    /// The types of last events, with the number of sessions, most first.
    pub exits: Vec<(String, u64)>,
}

/// About what the texts of an event take beside it.
const TEXTS: usize = 48;

/// Which session an event belongs to, for its sender.
type SessionName = Option<String>;

struct Event {
    at: i64,
    event_type: String,
    session: SessionName,
}

struct Session {
    first: i64,
    last: i64,
    events: u64,
    entry: String,
    exit: String,
}

#[derive(Default)]
struct Tally {
    /// How many sessions lasted no time at all, as those of one event do.
    moments: u64,
    /// How long the others lasted, in microseconds.
    lengths: Vec<i64>,
    events: u64,
    bounces: u64,
    users: u64,
    last_user: Option<UserNo>,
}

/// Takes in events user by user and keeps what the answer is made of.
pub struct SessionsFold<'q> {
    query: &'q SessionsQuery,
    starts: Vec<DateTime<Utc>>,
    user: Option<UserNo>,
    events: Vec<Event>,
    tallies: Vec<Tally>,
    users: u64,
    entries: HashMap<String, u64>,
    exits: HashMap<String, u64>,
}

impl<'q> SessionsFold<'q> {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(query: &'q SessionsQuery, buckets: &[Bucket]) -> Self {
        let starts: Vec<_> = buckets.iter().map(|bucket| bucket.start).collect();
        Self {
            query,
            tallies: starts.iter().map(|_| Tally::default()).collect(),
            starts,
            user: None,
            events: Vec::new(),
            users: 0,
            entries: HashMap::new(),
            exits: HashMap::new(),
        }
    }

    /// Takes in an event, its time in microseconds. All events of a user must come together, in whatever order.
    pub fn push(&mut self, user: UserNo, at: i64, event_type: String, session: Option<String>) {
        if self.user != Some(user) {
            self.close_user();
            self.user = Some(user);
        }
        self.events.push(Event { at, event_type, session });
    }

    /// Bytes of memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // The lengths are put together in the end.
        let lengths: usize = self.tallies.iter().map(|tally| tally.lengths.len() * 3).sum();
        let events = self.events.capacity() * (size_of::<Event>() + TEXTS);
        let ends = (self.entries.len() + self.exits.len()) * (size_of::<(String, u64)>() + TEXTS);
        lengths * size_of::<i64>() + events + ends + self.tallies.len() * size_of::<Tally>()
    }

    /// The answer.
    #[must_use]
    pub fn finish(mut self) -> Sessions {
        self.close_user();
        let mut all = Tally { users: self.users, ..Tally::default() };
        let mut buckets = Vec::new();
        for mut tally in self.tallies {
            buckets.push(tally.figures());
            all.moments += tally.moments;
            all.lengths.append(&mut tally.lengths);
            all.events += tally.events;
            all.bounces += tally.bounces;
        }
        let limit = self.query.limit;
        Sessions {
            all: all.figures(),
            buckets,
            entries: most(self.entries, limit),
            exits: most(self.exits, limit),
        }
    }

    fn close_user(&mut self) {
        self.events.sort_by(|a, b| (a.at, &a.event_type).cmp(&(b.at, &b.event_type)));
        let gap = self.query.gap.num_microseconds().unwrap_or(i64::MAX);
        let mut open: HashMap<SessionName, Session> = HashMap::new();
        let mut closed = Vec::new();
        for event in self.events.drain(..) {
            let Event { at, event_type, session: name } = event;
            if name.is_none()
                && let Some(over) = open.remove(&None)
            {
                if at - over.last > gap {
                    closed.push(over);
                } else {
                    open.insert(None, over);
                }
            }
            let session = open.entry(name).or_insert_with(|| Session {
                first: at,
                last: at,
                events: 0,
                entry: event_type.clone(),
                exit: String::new(),
            });
            session.last = at;
            session.exit = event_type;
            session.events += 1;
        }
        closed.extend(open.into_values());
        if !closed.is_empty() {
            self.users += 1;
        }
        for session in closed {
            self.count(session);
        }
    }

    fn count(&mut self, session: Session) {
        let begun = self.starts.partition_point(|start| start.timestamp_micros() <= session.first);
        if let Some(tally) = begun.checked_sub(1).and_then(|place| self.tallies.get_mut(place)) {
            match session.last - session.first {
                0 => tally.moments += 1,
                length => tally.lengths.push(length),
            }
            tally.events += session.events;
            tally.bounces += u64::from(session.events == 1);
            if tally.last_user != self.user {
                tally.last_user = self.user;
                tally.users += 1;
            }
        }
        *self.entries.entry(session.entry).or_default() += 1;
        *self.exits.entry(session.exit).or_default() += 1;
    }
}

impl Tally {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
    fn figures(&mut self) -> Figures {
        let sessions = self.moments + u64::try_from(self.lengths.len()).unwrap_or(u64::MAX);
        let total: i64 = self.lengths.iter().sum();
        Figures {
            sessions,
            users: self.users,
            events: self.events,
            bounces: self.bounces,
            mean_seconds: (sessions > 0).then(|| total as f64 / sessions as f64 / 1e6),
            median_seconds: funnel::median_seconds(self.moments, &mut self.lengths),
        }
    }
}

fn most(counts: HashMap<String, u64>, limit: usize) -> Vec<(String, u64)> {
    let mut ranked: Vec<(String, u64)> = counts.into_iter().collect();
    ranked.sort_by(|(a, more), (b, less)| (Reverse(more), a).cmp(&(Reverse(less), b)));
    ranked.truncate(limit);
    ranked
}
