//! The most frequent event types.

use std::cmp::Reverse;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analytics::query_error::QueryError;
use crate::analytics::query_fault::{QueryFault, whole_number};
use crate::text::EventType;

/// An event type with its events and its distinct users in the period asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopEvent {
    /// The type.
    pub event_type: EventType,
    /// Its events.
    pub count: u64,
    /// The distinct users that sent them.
    pub users: u64,
}

/// How many types to name: 1 to 1,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TopLimit(u16);

impl TopLimit {
    const MAX: u16 = 1000;

    /// The limit as a number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0
    }
}

impl Default for TopLimit {
    fn default() -> Self {
        Self(10)
    }
}

/// A question about the most frequent types, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TopEventsParameters {
    limit: Option<Value>,
}

impl TryFrom<TopEventsParameters> for TopLimit {
    type Error = QueryFault;

    fn try_from(raw: TopEventsParameters) -> Result<Self, QueryFault> {
        let limit = whole_number("limit", raw.limit.as_ref(), Self::default().0.into(), 1, Self::MAX.into())?;
        Ok(Self(u16::try_from(limit).unwrap_or(Self::MAX)))
    }
}

impl FromStr for TopLimit {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(limit @ 1..=Self::MAX) => Ok(Self(limit)),
            _ => Err(QueryError::NotACount {
                field: "limit",
                value: format!("{text:?}"),
                min: 1,
                max: Self::MAX.into(),
            }),
        }
    }
}

/// The first `limit` of `events` by count, largest first, then by name.
#[must_use]
pub fn top_events(mut events: Vec<TopEvent>, limit: TopLimit) -> Vec<TopEvent> {
    events.sort_unstable_by(|a, b| (Reverse(a.count), &a.event_type).cmp(&(Reverse(b.count), &b.event_type)));
    events.truncate(limit.get().into());
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_ties_by_name() {
        let event =
            |name: &str, count| TopEvent { event_type: EventType::parse(name).unwrap(), count, users: 1 };
        let ranked = top_events(
            vec![event("c", 1), event("b", 5), event("d", 9), event("a", 5)],
            "3".parse().unwrap(),
        );
        assert_eq!(ranked, [event("d", 9), event("a", 5), event("b", 5)]);
    }

    #[test]
    fn a_limit_is_1_to_1000() {
        assert_eq!("1000".parse::<TopLimit>().unwrap().get(), 1000);
        for text in ["0", "1001", "-1", "ten", "", "1.5"] {
            assert_eq!(text.parse::<TopLimit>().unwrap_err().field(), "limit", "{text}");
        }
    }
}
