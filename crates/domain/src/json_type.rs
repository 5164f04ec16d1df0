//! The types of JSON values, and those of an event's properties.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::json::JsonObject;

/// What a value is. `null` says nothing about what a property is, and is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonType {
    /// A string.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An object.
    Object,
    /// An array.
    Array,
}

impl JsonType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::String, Self::Number, Self::Boolean, Self::Object, Self::Array];

    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Object => "object",
            Self::Array => "array",
        }
    }

    /// The type of a well-formed value.
    fn of(value: &RawValue) -> Option<Self> {
        match value.get().as_bytes().first()? {
            b'"' => Some(Self::String),
            b'-' | b'0'..=b'9' => Some(Self::Number),
            b't' | b'f' => Some(Self::Boolean),
            b'{' => Some(Self::Object),
            b'[' => Some(Self::Array),
            _ => None,
        }
    }
}

/// Calls `each` with the name and the type of every member that is not `null`.
pub fn for_each_member(object: &JsonObject, each: impl FnMut(String, JsonType)) {
    // It was found to be an object when it was made; there is nothing to be told here.
    let _ = serde_json::Deserializer::from_str(object.as_str()).deserialize_map(Members(each));
}

struct Members<F>(F);

impl<'de, F: FnMut(String, JsonType)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, value)) = members.next_entry::<String, &RawValue>()? {
            if let Some(json_type) = JsonType::of(value) {
                (self.0)(name, json_type);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_has_a_type_and_null_has_none() {
        let object =
            r#" {"s": "x", "n": -1.5e3, "b": false, "o": {"inner": 1}, "a": [], "nothing": null, "n": "2"} "#;
        let mut found = Vec::new();
        for_each_member(&JsonObject::parse(object).unwrap(), |name, json_type| {
            found.push(format!("{name} {}", json_type.as_str()));
        });
        assert_eq!(found, ["s string", "n number", "b boolean", "o object", "a array", "n string"]);
    }
}
