use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use uuid::Uuid;

/// An event of the simulated shop. The fields are in the order in which they are written, and the
/// properties keep theirs, so that equal events are equal bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    pub(super) event_id: Uuid,
    pub(super) event_type: &'static str,
    pub(super) user_id: String,
    #[serde(serialize_with = "rfc3339")]
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) session_id: String,
    pub(super) properties: Properties,
    pub(super) context: Context,
}

/// Where an event came from, apart from what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Context {
    pub(super) locale: &'static str,
    pub(super) timezone: &'static str,
}

/// A property's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    Count(u32),
    /// An amount of money, in hundredths.
    Cents(u32),
    Flag(bool),
}

/// Names and values, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Properties(pub(super) Vec<(&'static str, Value)>);

impl Properties {
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().cloned());
    }

    #[cfg(test)]
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find_map(|(n, value)| (*n == name).then_some(value))
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Cents(cents) => serializer.serialize_f64(f64::from(*cents) / 100.0),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl Serialize for Properties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn rfc3339<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_in_a_fixed_order() {
        let event = Event {
            event_id: Uuid::nil(),
            event_type: "order_completed",
            user_id: "v-1".to_owned(),
            occurred_at: "2026-11-01T10:00:00.5Z".parse().unwrap(),
            session_id: "s-1".to_owned(),
            properties: Properties::default()
                .with("value", Value::Cents(1990))
                .with("items", Value::Count(2))
                .with("currency", "USD"),
            context: Context { locale: "en-IN", timezone: "Asia/Kolkata" },
        };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event_id":"00000000-0000-0000-0000-000000000000","event_type":"order_completed","user_id":"v-1","#
                .to_owned()
                + r#""occurred_at":"2026-11-01T10:00:00.500Z","session_id":"s-1","#
                + r#""properties":{"value":19.9,"items":2,"currency":"USD"},"#
                + r#""context":{"locale":"en-IN","timezone":"Asia/Kolkata"}}"#
        );
    }
}
