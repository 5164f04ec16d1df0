//! How much an event may be held against.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::schema::{DRAFT, SchemaFault};

/// Objects and arrays within each other, and references.
pub(crate) const MAX_DEPTH: usize = 32;

/// Values in a schema whose references stand for what they refer to.
pub(crate) const MAX_PARTS: usize = 10_000;

/// Keywords that name parts of a schema, or lead to them, in ways that are not followed here.
const UNFOLLOWED: [&str; 7] =
    ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"];

/// Checks that a schema stays within bounds. Whatever has the name of a keyword and its shape is taken for one, also
/// where it stands among data: none is overlooked, and a constant that looks like a reference is refused.
pub(crate) fn check(schema: &Value) -> Result<(), SchemaFault> {
    let empty = Map::new();
    let definitions = schema.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
    Measure { definitions, known: BTreeMap::new() }.extent(schema, 0).map(drop)
}

/// How large something is with its references followed.
#[derive(Clone, Copy)]
struct Extent {
    parts: usize,
    levels: usize,
}

const LEAF: Extent = Extent { parts: 1, levels: 0 };

struct Measure<'a> {
    definitions: &'a Map<String, Value>,
    /// The definitions that were measured; `None`: that are being measured.
    known: BTreeMap<&'a str, Option<Extent>>,
}

impl<'a> Measure<'a> {
    fn extent(&mut self, value: &'a Value, depth: usize) -> Result<Extent, SchemaFault> {
        let mut whole = LEAF;
        let mut add = |part: Extent| {
            whole.parts = whole.parts.saturating_add(part.parts);
            whole.levels = whole.levels.max(part.levels + 1);
            match whole {
                Extent { levels, .. } if depth + levels > MAX_DEPTH => Err(SchemaFault::TooDeep),
                Extent { parts, .. } if parts > MAX_PARTS => Err(SchemaFault::TooMuch),
                _ => Ok(()),
            }
        };
        if depth > MAX_DEPTH {
            return Err(SchemaFault::TooDeep);
        }
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    add(self.member(name, member, depth)?)?;
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    add(self.extent(element, depth + 1)?)?;
                }
            }
            _ => {}
        }
        Ok(whole)
    }

    fn member(&mut self, name: &'a str, value: &'a Value, depth: usize) -> Result<Extent, SchemaFault> {
        match (name, value) {
            ("$ref", Value::String(reference)) => self.referred(reference, depth),
            ("$schema", Value::String(draft)) if draft.trim_end_matches('#') != DRAFT => {
                Err(SchemaFault::Draft)
            }
            (name, Value::String(_) | Value::Bool(_)) => UNFOLLOWED
                .into_iter()
                .find(|keyword| *keyword == name)
                .map_or(Ok(LEAF), |keyword| Err(SchemaFault::Keyword(keyword))),
            _ => self.extent(value, depth + 1),
        }
    }

    fn referred(&mut self, reference: &'a str, depth: usize) -> Result<Extent, SchemaFault> {
        let plain = |name: &&str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let name = reference.strip_prefix("#/$defs/").filter(plain);
        let name = name.ok_or_else(|| SchemaFault::Reference(reference.to_owned()))?;
        match self.known.get(name) {
            Some(Some(extent)) => return Ok(*extent),
            Some(None) => return Err(SchemaFault::Circle(name.to_owned())),
            None => {}
        }
        let undefined = || SchemaFault::Undefined(reference.to_owned());
        let definition = self.definitions.get(name).ok_or_else(undefined)?;
        self.known.insert(name, None);
        let extent = self.extent(definition, depth + 1)?;
        self.known.insert(name, Some(extent));
        Ok(extent)
    }
}
