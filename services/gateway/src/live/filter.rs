//! Which events a client wants to see.

use std::collections::BTreeSet;

use millrace_domain::text::{EventType, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::gathered::Event;

/// The most names in each list.
const MAX_NAMES: usize = 100;

/// Events of these types, and of these users; an empty list is all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    event_types: BTreeSet<String>,
    user_ids: BTreeSet<String>,
}

impl Filter {
    /// Reads what a client says.
    ///
    /// # Errors
    /// Why it makes no sense.
    pub fn parse(said: &str) -> Result<Self, String> {
        // An array would be taken for the members in their order.
        if !said.trim_start().starts_with('{') {
            return Err("a filter must be a JSON object".to_owned());
        }
        let filter: Self = serde_json::from_str(said).map_err(|error| format!("not a filter: {error}"))?;
        filter.checked().map_err(|(field, message)| format!("{field}: {message}"))
    }

    /// Reads `event_type=…&user_id=…`, each as often as wanted.
    ///
    /// # Errors
    /// The parameter at fault, and why.
    pub fn of_query(query: Vec<(String, String)>) -> Result<Self, (String, String)> {
        let mut filter = Self::default();
        for (name, value) in query {
            match name.as_str() {
                "event_type" => filter.event_types.insert(value),
                "user_id" => filter.user_ids.insert(value),
                _ => return Err((name.clone(), format!("there is no parameter `{name}` here"))),
            };
        }
        filter.checked()
    }

    fn checked(self) -> Result<Self, (String, String)> {
        let lists = [("event_type", &self.event_types), ("user_id", &self.user_ids)];
        for (field, names) in lists {
            if names.len() > MAX_NAMES {
                return Err((field.to_owned(), format!("at most {MAX_NAMES} may be named")));
            }
            for name in names {
                let sound = if field == "user_id" {
                    UserId::parse(name).map(drop)
                } else {
                    EventType::parse(name).map(drop)
                };
                sound.map_err(|fault| (field.to_owned(), fault.to_string()))?;
            }
        }
        Ok(self)
    }

    /// Whether everything is wanted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.event_types.is_empty() && self.user_ids.is_empty()
    }

    /// Whether this event is wanted.
    #[must_use]
    pub fn has(&self, event: &Event) -> bool {
        let wanted = |names: &BTreeSet<String>, name: &str| names.is_empty() || names.contains(name);
        wanted(&self.event_types, &event.event_type) && wanted(&self.user_ids, &event.user_id)
    }

    /// A message that says what it is.
    #[must_use]
    pub fn told(&self, kind: &str) -> Value {
        json!({"type": kind, "event_types": self.event_types, "user_ids": self.user_ids})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_type: &str, user_id: &str) -> Event {
        Event { event_type: event_type.into(), user_id: user_id.into(), json: "{}".into() }
    }

    #[test]
    fn an_empty_list_is_all() {
        let filter = Filter::parse(r#"{"user_ids": ["ada", "bob"]}"#).unwrap();
        assert!(!filter.is_open() && filter.has(&event("seen", "ada")) && !filter.has(&event("seen", "eve")));
        let filter = Filter::parse(r#"{"user_ids": ["ada"], "event_types": ["paid"]}"#).unwrap();
        assert!(filter.has(&event("paid", "ada")) && !filter.has(&event("seen", "ada")));
        assert!(Filter::parse("{}").unwrap().is_open());
    }

    #[test]
    fn a_query_and_a_message_mean_the_same() {
        let pairs = [("event_type", "paid"), ("user_id", "ada"), ("event_type", "seen")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let said = r#"{"event_types": ["seen", "paid"], "user_ids": ["ada"]}"#;
        assert_eq!(Filter::of_query(pairs.into()).unwrap(), Filter::parse(said).unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let fault = |name: &str, value: &str| {
            Filter::of_query(vec![(name.to_owned(), value.to_owned())]).unwrap_err()
        };
        assert_eq!(
            fault("event_types", "a"),
            ("event_types".to_owned(), "there is no parameter `event_types` here".to_owned())
        );
        assert_eq!(fault("event_type", "").0, "event_type");
        for said in ["", "[]", r#"{"event_type": []}"#, r#"{"user_ids": [""]}"#, r#"{"user_ids": "ada"}"#] {
            assert!(Filter::parse(said).is_err(), "{said}");
        }
        let many: Vec<String> = (0..=MAX_NAMES).map(|n| n.to_string()).collect();
        let fault = Filter::parse(&json!({"user_ids": many}).to_string()).unwrap_err();
        assert_eq!(fault, "user_id: at most 100 may be named");
    }
}
