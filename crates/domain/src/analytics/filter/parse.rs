//! Filters as they are written.

use serde::Deserialize;
use serde_json::Value;

use super::Filter;
use super::condition::Condition;
use crate::analytics::query_fault::QueryFault;

/// The most levels of `and`, `or` and `not` inside each other.
pub const MAX_DEPTH: usize = 8;
/// The most conditions in one filter.
pub const MAX_CONDITIONS: usize = 100;
const OPERATORS: &[&str] = &["eq", "neq", "in", "not_in", "contains", "gt", "gte", "lt", "lte", "exists"];

/// A filter as JSON has it: `{"and": […]}`, `{"or": […]}`, `{"not": {…}}`, or a condition: `{"property": "plan", "op":
/// "eq", "value": "pro"}`, `{"field": "event_type", "op": "in", "value": ["a", "b"]}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FilterParameters {
    and: Option<Vec<FilterParameters>>,
    or: Option<Vec<FilterParameters>>,
    not: Option<Box<FilterParameters>>,
    property: Option<String>,
    field: Option<String>,
    op: Option<String>,
    value: Option<Value>,
}

impl FilterParameters {
    /// A condition on a property.
    #[must_use]
    pub(crate) fn of_property(property: String, op: Option<String>, value: Option<Value>) -> Self {
        Self { property: Some(property), op, value, ..Self::default() }
    }

    /// The filter that is meant. Faults are named from `path`, the filter's own place in the question.
    ///
    /// # Errors
    /// Names the part that cannot be used.
    pub fn parse(self, path: &str) -> Result<Filter, QueryFault> {
        let mut conditions = 0;
        self.parse_at(path, 1, &mut conditions)
    }

    fn parse_at(self, path: &str, depth: usize, conditions: &mut usize) -> Result<Filter, QueryFault> {
        if depth > MAX_DEPTH {
            let reason = format_args!("must not nest deeper than {MAX_DEPTH} levels");
            return Err(QueryFault::new(path, "too_deep", reason));
        }
        let mut all = |parts: Vec<Self>, name: &str| {
            if parts.is_empty() {
                return Err(QueryFault::new(format!("{path}.{name}"), "empty", "must not be empty"));
            }
            let part = |(place, part): (usize, Self)| {
                part.parse_at(&format!("{path}.{name}[{place}]"), depth + 1, conditions)
            };
            parts.into_iter().enumerate().map(part).collect::<Result<Vec<_>, _>>()
        };
        match self {
            Self {
                and: Some(parts),
                or: None,
                not: None,
                property: None,
                field: None,
                op: None,
                value: None,
            } => Ok(Filter::And(all(parts, "and")?)),
            Self {
                and: None,
                or: Some(parts),
                not: None,
                property: None,
                field: None,
                op: None,
                value: None,
            } => Ok(Filter::Or(all(parts, "or")?)),
            Self {
                and: None,
                or: None,
                not: Some(part),
                property: None,
                field: None,
                op: None,
                value: None,
            } => {
                let part = part.parse_at(&format!("{path}.not"), depth + 1, conditions)?;
                Ok(Filter::Not(Box::new(part)))
            }
            Self { and: None, or: None, not: None, property, field, op, value } => {
                *conditions += 1;
                if *conditions > MAX_CONDITIONS {
                    let reason =
                        format_args!("is one condition too many: a filter may have {MAX_CONDITIONS}");
                    return Err(QueryFault::new(path, "too_many_conditions", reason));
                }
                let op = op.ok_or_else(|| QueryFault::required(format!("{path}.op")))?;
                if !OPERATORS.contains(&op.as_str()) {
                    return Err(QueryFault::unknown_value(format!("{path}.op"), &op, OPERATORS));
                }
                Condition { path, op: &op, value }.parse(property, field)
            }
            _ => Err(QueryFault::new(path, "ambiguous", "must be one of `and`, `or`, `not` or a condition")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Filter, QueryFault> {
        crate::analytics::query_fault::read::<FilterParameters>(serde_json::from_str(json).unwrap())?
            .parse("filter")
    }

    #[test]
    fn neq_is_the_complement_of_eq() {
        let eq = parse(r#"{"property": "plan", "op": "eq", "value": "pro"}"#).unwrap();
        let neq = parse(r#"{"property": "plan", "op": "neq", "value": "pro"}"#).unwrap();
        assert_eq!(neq, Filter::Not(Box::new(eq)));
        let within = parse(r#"{"property": "plan", "op": "in", "value": ["pro"]}"#).unwrap();
        let without = parse(r#"{"property": "plan", "op": "not_in", "value": ["pro"]}"#).unwrap();
        assert_eq!(without, Filter::Not(Box::new(within)));
    }

    #[test]
    fn every_mistake_names_its_path() {
        let deep = format!("{}{}{}", r#"{"not":"#.repeat(8), r#"{"field":"time"}"#, "}".repeat(8));
        let many = format!(r#"{{"or":[{}]}}"#, vec![r#"{"property":"a","op":"exists"}"#; 101].join(","));
        for (json, field, code) in [
            (r#"{"and":[]}"#, "filter.and", "empty"),
            (r#"{"and":[{"field":"type","op":"eq","value":"a"}]}"#, "filter.and[0].field", "unknown_value"),
            (r#"{"not":{"property":"a","op":"is","value":1}}"#, "filter.not.op", "unknown_value"),
            (r#"{"property":"a"}"#, "filter.op", "required"),
            (r#"{"property":"a","op":"eq"}"#, "filter.value", "required"),
            (r#"{"property":"a","op":"eq","value":null}"#, "filter.value", "required"),
            (r#"{"property":"a","op":"eq","value":[1]}"#, "filter.value", "invalid"),
            (r#"{"property":"a","op":"in","value":[]}"#, "filter.value", "invalid"),
            (r#"{"property":"a","op":"exists","value":true}"#, "filter.value", "invalid"),
            (r#"{"property":"a","op":"gt","value":true}"#, "filter.value", "invalid"),
            (r#"{"property":"a","op":"contains","value":"\u0000"}"#, "filter.value", "invalid"),
            (r#"{"property":"","op":"exists"}"#, "filter.property", "invalid"),
            (r#"{"field":"time","op":"eq","value":"2026-11-01T00:00:00Z"}"#, "filter.op", "unknown_value"),
            (r#"{"field":"time","op":"gt","value":"2026-11-01"}"#, "filter.value", "not_a_time"),
            (r#"{"field":"cohort","op":"eq","value":"a"}"#, "filter.op", "unknown_value"),
            (r#"{"field":"cohort","op":"in","value":"a"}"#, "filter.value", "invalid"),
            (r#"{"field":"cohort","op":"not_in","value":[]}"#, "filter.value", "invalid"),
            (r#"{"op":"eq","value":1}"#, "filter", "ambiguous"),
            (r#"{"property":"a","field":"time","op":"eq","value":1}"#, "filter", "ambiguous"),
            (r#"{"or":[],"op":"eq"}"#, "filter", "ambiguous"),
            (&deep, "filter.not.not.not.not.not.not.not.not", "too_deep"),
            (&many, "filter.or[100]", "too_many_conditions"),
        ] {
            let fault = parse(json).unwrap_err();
            assert_eq!((fault.field.as_str(), fault.code), (field, code), "{json}");
            assert!(fault.message.starts_with(field), "{}", fault.message);
        }
    }

    #[test]
    fn unknown_fields_are_named_by_their_path() {
        let fault = parse(r#"{"and":[{"property":"a","op":"eq","values":1}]}"#).unwrap_err();
        assert_eq!((fault.field.as_str(), fault.code), ("and[0].values", "unknown"));
    }
}
