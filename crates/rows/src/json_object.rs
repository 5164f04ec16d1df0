use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::draft::{Draft, Value};
use crate::fault::Fault;
use crate::field::Mapping;

/// The event of a JSON object whose text begins on `line`.
pub(crate) fn draft<'a>(text: &'a [u8], mapping: &'a Mapping, line: u64) -> Result<Draft<'a>, Fault> {
    let text = str::from_utf8(text).map_err(|error| Fault::new("invalid_utf8", error.to_string()))?;
    let Members(members) = serde_json::from_str(text).map_err(|error| Fault::json(&error, line))?;
    let mut draft = Draft::default();
    for (name, value) in members {
        draft.set(mapping.field(name), Value::Json(value))?;
    }
    Ok(draft)
}

/// The members of an object in order, their values as they are written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event, which is an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Mapped;

    #[test]
    fn members_become_fields_and_properties() {
        let mapping = ["kind=event_type".parse::<Mapped>().unwrap()].into_iter().collect();
        let text = br#"{"kind":"login","user_id":7,"timestamp":"2024-01-01T00:00:00Z","n\u00fc":[1.0]}"#;
        let event = serde_json::to_string(&draft(text, &mapping, 1).unwrap()).unwrap();
        assert_eq!(
            event,
            r#"{"event_type":"login","user_id":"7","occurred_at":"2024-01-01T00:00:00Z","properties":{"nü":[1.0]}}"#
        );
    }

    #[test]
    fn faults_tell_where() {
        let fault = |text: &[u8]| draft(text, &Mapping::default(), 40).unwrap_err();
        assert_eq!(fault(b"{\"a\": tru}").reason, "expected ident at line 40, column 10");
        assert!(fault(b"{\n\"a\": x}").reason.ends_with("at line 41, column 6"));
        assert_eq!(fault(b"{\"a\": \"\xff\"}").code, "invalid_utf8");
        assert!(fault(b"[1]").reason.contains("an event, which is an object"));
    }
}
