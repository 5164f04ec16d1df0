//! A schema that may be used.

use serde_json::Value;

use crate::bounds;
use crate::rules::Rules;

/// The name of the draft, as schemas give it.
pub(crate) const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Bytes that a schema may have, written without spaces.
pub(crate) const MAX_BYTES: usize = 32 << 10;

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// An array, a text, `true`.
    #[error("a schema is an object")]
    NotAnObject,
    /// It is meant for another draft.
    #[error("$schema must be {DRAFT}, or absent")]
    Draft,
    /// Too many bytes.
    #[error("a schema may have at most {MAX_BYTES} bytes")]
    TooLarge,
    /// Too many objects and arrays within each other.
    #[error("a schema may be at most {} levels deep", bounds::MAX_DEPTH)]
    TooDeep,
    /// Its definitions use each other so often that an event would be held against too much.
    #[error(
        "with its definitions put where they are referred to, a schema may have at most {} parts",
        bounds::MAX_PARTS
    )]
    TooMuch,
    /// It refers to something that is not in it.
    #[error(
        "$ref {0:?} must be `#/$defs/<name>` with a name of letters, digits, `_` and `-`: nothing is fetched"
    )]
    Reference(String),
    /// It refers to a definition that is not there.
    #[error("$ref {0:?} refers to a definition that is not there")]
    Undefined(String),
    /// A definition that contains itself.
    #[error("the definition {0:?} refers to itself, by way of others or not")]
    Circle(String),
    /// A keyword that gives parts of a schema other names, or leads to them in other ways.
    #[error("`{0}` is not supported: refer to definitions by `$ref`")]
    Keyword(&'static str),
    /// It breaks the rules of JSON Schema.
    #[error("{0}")]
    Invalid(String),
}

/// A schema that may be used: see [`Schema::parse`].
#[derive(Clone, Debug, PartialEq)]
pub struct Schema(Value);

impl Schema {
    /// Reads a schema of properties.
    ///
    /// # Errors
    /// See [`SchemaFault`].
    pub fn parse(value: Value) -> Result<Self, SchemaFault> {
        let object = value.as_object().ok_or(SchemaFault::NotAnObject)?;
        let draft = object.get("$schema").map(|draft| draft.as_str().unwrap_or_default());
        if draft.is_some_and(|draft| draft.trim_end_matches('#') != DRAFT) {
            return Err(SchemaFault::Draft);
        }
        if value.to_string().len() > MAX_BYTES {
            return Err(SchemaFault::TooLarge);
        }
        bounds::check(&value)?;
        let schema = Self(value);
        schema.rules()?;
        Ok(schema)
    }

    /// Makes it ready.
    ///
    /// # Errors
    /// [`SchemaFault::Invalid`], where another version of this program took the schema.
    pub fn rules(&self) -> Result<Rules, SchemaFault> {
        Rules::of(&self.0)
    }

    /// As JSON.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: Value) -> SchemaFault {
        Schema::parse(schema).unwrap_err()
    }

    #[test]
    fn schemas_of_the_draft_are_taken_as_they_are() {
        for schema in [
            json!({}),
            json!({"$schema": DRAFT, "type": "object", "properties": {"value": {"type": "number", "minimum": 0}}}),
            json!({"properties": {"$ref": {"type": "string"}, "enum": {"enum": ["a", {"b": 1}]}}}),
            json!({"$defs": {"money": {"type": "number"}}, "properties": {"a": {"$ref": "#/$defs/money"}, "b": {"$ref": "#/$defs/money"}}}),
        ] {
            assert_eq!(Schema::parse(schema.clone()).unwrap().into_value(), schema);
        }
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused_with_the_reason() {
        for reference in [
            "https://example.com/s.json",
            "file:///etc/passwd",
            "other.json",
            "#",
            "#/properties/a",
            "#a",
            "#/$defs/a~1b",
        ] {
            let fault = refused(json!({"properties": {"a": {"$ref": reference}}}));
            assert_eq!(fault, SchemaFault::Reference(reference.to_owned()));
        }
        assert!(matches!(refused(json!({"$ref": "#/$defs/none"})), SchemaFault::Undefined(_)));
        for keyword in ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$vocabulary"] {
            assert!(
                matches!(refused(json!({"items": {keyword: "x"}})), SchemaFault::Keyword(named) if named == keyword)
            );
        }
        assert_eq!(
            refused(json!({"$schema": "http://json-schema.org/draft-07/schema#"})),
            SchemaFault::Draft
        );
        assert_eq!(
            refused(json!({"properties": {"a": {"$schema": "https://example.com"}}})),
            SchemaFault::Draft
        );
    }

    #[test]
    fn what_could_keep_a_worker_busy_is_refused() {
        assert!(matches!(refused(json!({"$defs": {"a": {"$ref": "#/$defs/a"}}})), SchemaFault::Circle(_)));
        let pair =
            json!({"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}}});
        assert!(matches!(refused(pair), SchemaFault::Circle(_)));

        let mut doubling = json!({"a0": {"type": "string"}});
        for n in 1..7 {
            let before = json!({"$ref": format!("#/$defs/a{}", n - 1)});
            doubling[format!("a{n}")] = json!({"allOf": [before, before, before, before, before, before]});
        }
        assert_eq!(refused(json!({"$defs": doubling, "$ref": "#/$defs/a6"})), SchemaFault::TooMuch);

        let chain: Value = (0..40).fold(json!({"end": {}}), |mut chain, n| {
            chain[format!("a{n}")] = json!({"$ref": if n == 0 { "#/$defs/end".to_owned() } else { format!("#/$defs/a{}", n - 1) }});
            chain
        });
        assert_eq!(refused(json!({"$defs": chain})), SchemaFault::TooDeep);
        let deep = (0..60).fold(json!({}), |inner, _| json!({"not": inner}));
        assert_eq!(refused(deep), SchemaFault::TooDeep);
        assert_eq!(refused(json!({"description": "x".repeat(MAX_BYTES)})), SchemaFault::TooLarge);
        // A pattern that tries again and again is one that the engine in use does not know.
        assert!(matches!(refused(json!({"pattern": "^(a+)+\\1$"})), SchemaFault::Invalid(_)));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for value in [json!(null), json!(true), json!([]), json!("{}")] {
            assert_eq!(refused(value), SchemaFault::NotAnObject);
        }
        for schema in [json!({"type": "text"}), json!({"minimum": "0"}), json!({"required": "value"})] {
            assert!(matches!(refused(schema), SchemaFault::Invalid(_)));
        }
    }
}
