//! Conclusions on their way into an event's context.

use std::collections::HashSet;
use std::fmt;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::kept;
use crate::event::Event;
use crate::json::JsonObject;

/// Members to add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions(Vec<(&'static str, Value)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    True,
}

impl Additions {
    /// Adds a text, if there is one.
    pub fn text(&mut self, name: &'static str, text: Option<&str>) {
        self.0.extend(text.and_then(kept).map(|text| (name, Value::Text(text))));
    }

    /// Adds a mark, if it is to be set.
    pub fn mark(&mut self, name: &'static str, set: bool) {
        self.0.extend(set.then_some((name, Value::True)));
    }

    /// Puts what the sender has set neither in the properties nor in the context into the context.
    pub fn apply(mut self, event: &mut Event) {
        if self.0.is_empty() {
            return;
        }
        let mut set = HashSet::new();
        for object in [Some(&event.properties), event.context.as_ref()].into_iter().flatten() {
            set.extend(reserved_members(object));
        }
        self.0.retain(|(name, _)| !set.contains(*name));
        if self.0.is_empty() {
            return;
        }
        let context = event.context.as_ref().map_or("{}", JsonObject::as_str);
        // An object's text ends with its brace. What comes before it stays as it was written.
        let Some(open) = context.strip_suffix('}') else { return };
        let mut text = open.trim_end().to_owned();
        for (name, value) in &self.0 {
            if !text.ends_with('{') {
                text.push(',');
            }
            let value = match value {
                Value::Text(text) => serde_json::to_string(text).unwrap_or_else(|_no_text| "null".to_owned()),
                Value::True => "true".to_owned(),
            };
            text.push_str(&format!("\"{name}\":{value}"));
        }
        text.push('}');
        if let Ok(context) = JsonObject::from_well_formed(&text) {
            event.context = Some(context);
        }
    }
}

/// The names of members that begin with `$`.
fn reserved_members(object: &JsonObject) -> HashSet<String> {
    if !object.as_str().contains('$') {
        return HashSet::new();
    }
    serde_json::Deserializer::from_str(object.as_str()).deserialize_map(Reserved).unwrap_or_default()
}

struct Reserved;

impl<'de> Visitor<'de> for Reserved {
    type Value = HashSet<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, IgnoredAny)) = members.next_entry::<String, IgnoredAny>()? {
            if name.starts_with('$') {
                names.insert(name);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value as Json, json};

    use super::*;
    use crate::draft::Draft;

    fn event(properties: &Json, context: &Json) -> Event {
        let now = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let mut text =
            json!({"event_type": "seen", "user_id": "ada", "occurred_at": now, "properties": properties});
        if !context.is_null() {
            text["context"] = context.clone();
        }
        Draft::parse(&text.to_string(), now, uuid::Uuid::now_v7).unwrap().settle(now)
    }

    fn context_of(event: &Event) -> Json {
        event.context.as_ref().map_or(Json::Null, |json| serde_json::from_str(json.as_str()).unwrap())
    }

    #[test]
    fn what_the_sender_has_set_stays() {
        let mut additions = Additions::default();
        additions.text("$browser", Some("Firefox"));
        additions.text("$os", Some("Linux"));
        additions.text("$country", Some("IN"));
        additions.mark("$bot", true);
        let mut seen = event(&json!({"$browser": "Lynx"}), &json!({"$os": null, "page": {"$country": "FR"}}));
        additions.apply(&mut seen);
        let expected = json!({"$os": null, "page": {"$country": "FR"}, "$country": "IN", "$bot": true});
        assert_eq!(context_of(&seen), expected);
    }

    #[test]
    fn without_anything_to_add_there_is_no_context() {
        let mut seen = event(&json!({}), &Json::Null);
        let mut additions = Additions::default();
        additions.text("$os", Some(" \n\0"));
        additions.mark("$bot", false);
        additions.apply(&mut seen);
        assert_eq!(seen.context, None);
    }

    fn objects() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<i32>().prop_map(|n| json!(n)),
            "[^\0]{0,9}".prop_map(|s| json!(s))
        ];
        let names = prop_oneof!["[$a-z]{0,3}", Just("$os".to_owned()), Just("$browser".to_owned())];
        prop::collection::btree_map(names, leaf, 0..6)
            .prop_map(|members| Json::Object(members.into_iter().collect::<Map<_, _>>()))
    }

    proptest! {
        #[test]
        fn every_member_that_was_there_stays_and_adding_again_changes_nothing(
            properties in objects(), context in prop_oneof![Just(Json::Null), objects()], os in any::<String>(),
        ) {
            let before = event(&properties, &context);
            let mut additions = Additions::default();
            additions.text("$os", Some(&os));
            additions.text("$browser", Some("Firefox"));
            let mut once = before.clone();
            additions.clone().apply(&mut once);
            let after = context_of(&once);
            for (name, value) in context.as_object().into_iter().flatten() {
                prop_assert_eq!(&after[name], value);
            }
            let set = |name: &str| properties.get(name).is_some() || context.get(name).is_some();
            prop_assert_eq!(after.get("$browser") == Some(&json!("Firefox")) || set("$browser"), true);
            if let Some(text) = after.get("$os").filter(|_| !set("$os")) {
                prop_assert!(text.as_str().unwrap().chars().count() <= 200);
            }
            // The database must take it.
            if let Some(context) = &once.context {
                prop_assert!(JsonObject::parse(context.as_str()).is_ok());
            }
            let mut twice = once.clone();
            additions.apply(&mut twice);
            prop_assert_eq!(twice, once);
        }
    }
}
