//! A schema, made ready to hold events against.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

use crate::schema::SchemaFault;

/// Bytes that a pattern may take when it is made ready.
const PATTERN_BYTES: usize = 1 << 20;
/// Characters of an explanation that are kept: it may quote what it explains.
const MAX_WORDS: usize = 300;

/// A schema, made ready. Making it so takes far longer than using it.
#[derive(Clone, Debug)]
pub struct Rules(Validator);

/// What breaks a schema: the first thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The property at fault, as a JSON pointer into the properties; one that is missing, where it should be.
    pub property: String,
    /// The rule, as a JSON pointer into the schema.
    pub rule: String,
    /// What is wrong.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { property, rule, words } = self;
        let property = if property.is_empty() { "the properties" } else { property };
        write!(f, "{property}: {words} (rule {rule})")
    }
}

impl Rules {
    pub(crate) fn of(schema: &Value) -> Result<Self, SchemaFault> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            // Takes time in proportion to the text, whatever the pattern.
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .build(schema)
            .map(Self)
            .map_err(|error| SchemaFault::Invalid(described(&error)))
    }

    /// What is wrong with these properties, which are the text of a JSON object; `None`: nothing.
    #[must_use]
    pub fn violation(&self, properties: &str) -> Option<Violation> {
        match serde_json::from_str::<Value>(properties) {
            Ok(properties) => self.0.validate(&properties).err().map(|error| Violation::of(&error)),
            Err(error) => {
                Some(Violation { property: String::new(), rule: "#".to_owned(), words: error.to_string() })
            }
        }
    }
}

impl Violation {
    fn of(error: &ValidationError<'_>) -> Self {
        let mut property = error.instance_path().as_str().to_owned();
        let unwanted = match error.kind() {
            ValidationErrorKind::Required { property } => property.as_str(),
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.first().map(String::as_str)
            }
            _ => None,
        };
        if let Some(name) = unwanted {
            property.push('/');
            property.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        Self { property, rule: format!("#{}", error.schema_path().as_str()), words: described(error) }
    }
}

fn described(error: &ValidationError<'_>) -> String {
    let words = error.to_string();
    match words.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", words.get(..end).unwrap_or_default()),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::Schema;

    fn rules(schema: Value) -> Rules {
        Schema::parse(schema).unwrap().rules().unwrap()
    }

    #[test]
    fn a_violation_names_the_property_and_the_rule() {
        let order = rules(json!({
            "type": "object",
            "properties": {
                "value": {"type": "number", "minimum": 0},
                "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
                "mail": {"format": "email"},
            },
            "required": ["value"],
            "additionalProperties": false,
            "$defs": {"item": {"type": "object", "required": ["a/b"]}},
        }));
        let violation = |properties: Value| {
            order.violation(&properties.to_string()).map(|violation| (violation.property, violation.rule))
        };
        assert_eq!(violation(json!({"value": 3, "items": [{"a/b": 1}], "mail": "ada@example.com"})), None);
        let named = |property: &str, rule: &str| Some((property.to_owned(), rule.to_owned()));
        assert_eq!(violation(json!({"value": "3"})), named("/value", "#/properties/value/type"));
        assert_eq!(violation(json!({"value": -1})), named("/value", "#/properties/value/minimum"));
        assert_eq!(violation(json!({})), named("/value", "#/required"));
        assert_eq!(violation(json!({"value": 1, "extra~": 2})), named("/extra~0", "#/additionalProperties"));
        assert_eq!(violation(json!({"value": 1, "mail": "ada"})), named("/mail", "#/properties/mail/format"));
        let inside = violation(json!({"value": 1, "items": [{"a/b": 0}, {}]})).unwrap();
        assert_eq!(inside.0, "/items/1/a~1b");
        assert!(inside.1.ends_with("/required"), "{}", inside.1);

        let told = order.violation(r#"{"value": "3"}"#).unwrap().to_string();
        assert_eq!(told, r##"/value: "3" is not of type "number" (rule #/properties/value/type)"##);
        let long = order.violation(&json!({"value": "é".repeat(5_000)}).to_string()).unwrap();
        assert!(long.words.chars().count() <= MAX_WORDS + 1);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_answered(properties in "\\PC{0,60}") {
            let _ = rules(json!({"type": "object"})).violation(&properties);
        }
    }
}
