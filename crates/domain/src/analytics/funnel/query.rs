//! What a funnel question asks.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::Deserialize;
use serde_json::Value;

use crate::analytics::audience::Audience;
use crate::analytics::filter::{FilterParameters, Selection};
use crate::analytics::funnel::Moment;
use crate::analytics::query_fault::{QueryFault, word};
use crate::analytics::span;
use crate::analytics::trends::{Breakdown, selection, several};
use crate::text::EventType;

/// The most steps of a funnel; the least is 1.
pub const MAX_STEPS: usize = 20;
/// The most exclusions of a funnel.
pub const MAX_EXCLUSIONS: usize = 5;
const DEFAULT_WINDOW: TimeDelta = TimeDelta::days(14);
const MAX_WINDOW_DAYS: i64 = 366;

/// In which order steps have to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One after the other, with anything in between.
    #[default]
    Ordered,
    /// One right after the other.
    Strict,
    /// In any.
    Loose,
}

impl Order {
    const WORDS: [(&'static str, Self); 3] =
        [("ordered", Self::Ordered), ("strict", Self::Strict), ("loose", Self::Loose)];
}

/// A funnel question.
#[derive(Clone, Debug, PartialEq)]
pub struct FunnelQuery {
    /// The events of each step.
    pub steps: Vec<Selection>,
    /// In which order they have to come.
    pub order: Order,
    /// How long an attempt has from its first event to its last, that moment included.
    pub window: TimeDelta,
    /// Events that end an attempt.
    pub exclusions: Vec<Selection>,
    /// What users are told apart by: the value at the event that began their attempt.
    pub breakdown: Option<Breakdown>,
}

/// A funnel question, as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FunnelParameters {
    steps: Vec<EventsParameters>,
    order: Option<String>,
    window: Option<String>,
    exclude: Option<Vec<EventsParameters>>,
    breakdown: Option<Value>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct EventsParameters {
    event_type: Option<String>,
    filter: Option<FilterParameters>,
}

impl FunnelQuery {
    /// What each event type means to the funnel, as the marks of its events, and whose events count, when nothing else of
    /// an event matters.
    #[must_use]
    pub fn marks_by_type(&self) -> Option<(BTreeMap<&EventType, u32>, Audience)> {
        if self.order == Order::Strict || self.breakdown.is_some() {
            return None;
        }
        let mut all = self.steps.iter().chain(&self.exclusions);
        let filter = &all.next()?.filter;
        if !all.all(|events| events.filter == *filter) {
            return None;
        }
        let audience = self.steps.first()?.audience()?;
        let mut marks = BTreeMap::new();
        for (step, events) in self.steps.iter().enumerate() {
            *marks.entry(events.event.event_type()?).or_default() |= 1u32 << step;
        }
        for events in &self.exclusions {
            marks.entry(events.event.event_type()?).or_insert(Moment::EXCLUSION);
        }
        Some((marks, audience))
    }

    /// The event type of a step; nothing where any will do, and where steps have no places.
    #[must_use]
    pub fn type_of(&self, step: usize) -> Option<&EventType> {
        if self.order == Order::Loose {
            return None;
        }
        self.steps.get(step)?.event.event_type()
    }
}

impl TryFrom<FunnelParameters> for FunnelQuery {
    type Error = QueryFault;

    fn try_from(raw: FunnelParameters) -> Result<Self, QueryFault> {
        let events =
            |raw: EventsParameters, path: &str| selection(path, raw.event_type.as_deref(), raw.filter);
        Ok(Self {
            steps: several("steps", raw.steps, MAX_STEPS, events)?,
            order: word("order", raw.order.as_deref(), Order::default(), &Order::WORDS)?,
            window: span::parse("window", raw.window.as_deref(), DEFAULT_WINDOW, MAX_WINDOW_DAYS)?,
            exclusions: match raw.exclude {
                None => Vec::new(),
                Some(exclude) => several("exclude", exclude, MAX_EXCLUSIONS, events)?,
            },
            breakdown: raw.breakdown.map(Breakdown::parse).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analytics::query_fault::read;

    #[test]
    fn every_mistake_names_its_path() {
        let step = || json!({"event_type": "a"});
        for (json, field, code) in [
            (json!({}), "steps", "out_of_range"),
            (json!({"steps": vec![step(); 21]}), "steps", "out_of_range"),
            (json!({"steps": [step(), {"type": "b"}]}), "steps[1].type", "unknown"),
            (json!({"steps": [step()], "order": "random"}), "order", "unknown_value"),
            (json!({"steps": [step()], "window": "soon"}), "window", "invalid_duration"),
            (json!({"steps": [step()], "exclude": vec![step(); 6]}), "exclude", "out_of_range"),
            (json!({"steps": [{"filter": {"not": {"and": []}}}]}), "steps[0].filter.not.and", "empty"),
        ] {
            let parsed = read::<FunnelParameters>(json.clone()).and_then(FunnelQuery::try_from);
            let fault = parsed.unwrap_err();
            assert_eq!((fault.field.as_str(), fault.code), (field, code), "{json}");
        }
    }
}
