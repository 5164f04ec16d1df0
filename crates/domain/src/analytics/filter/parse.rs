//! Filters as they are written.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

use super::{Comparison, Filter, PropertyTest, Scalar, TextTest};
use crate::analytics::query_fault::QueryFault;
use crate::text::PropertyName;

/// The most levels of `and`, `or` and `not` inside each other.
pub const MAX_DEPTH: usize = 8;
/// The most conditions in one filter.
pub const MAX_CONDITIONS: usize = 100;
/// The most values of one `in`.
pub const MAX_VALUES: usize = 1_000;
const MAX_TEXT_CHARS: usize = 1_000;
const FIELDS: &[&str] = &["event_type", "user_id", "time"];
const OPERATORS: &[&str] = &["eq", "neq", "in", "contains", "gt", "gte", "lt", "lte", "exists"];

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

struct Condition<'a> {
    path: &'a str,
    op: &'a str,
    value: Option<Value>,
}

impl Condition<'_> {
    fn parse(self, property: Option<String>, field: Option<String>) -> Result<Filter, QueryFault> {
        let negated = self.op == "neq";
        let path = self.path;
        let filter = match (property, field.as_deref()) {
            (Some(name), None) => {
                let name = PropertyName::parse(&name)
                    .map_err(|fault| QueryFault::new(format!("{path}.property"), "invalid", fault))?;
                Filter::Property(name, self.property_test()?)
            }
            (None, Some("event_type")) => Filter::EventType(self.text_test()?),
            (None, Some("user_id")) => Filter::User(self.text_test()?),
            (None, Some("time")) => self.time()?,
            (None, Some(other)) => {
                return Err(QueryFault::unknown_value(format!("{path}.field"), other, FIELDS));
            }
            _ => {
                return Err(QueryFault::new(path, "ambiguous", "must name either a `property` or a `field`"));
            }
        };
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn property_test(self) -> Result<PropertyTest, QueryFault> {
        if let Some(comparison) = comparison(self.op) {
            return match self.scalar(self.required()?)? {
                Scalar::Number(number) => Ok(PropertyTest::CompareNumber(comparison, number)),
                Scalar::Text(text) => Ok(PropertyTest::CompareText(comparison, text)),
                Scalar::Bool(_) => Err(self.unfit("must be a number or a text")),
            };
        }
        match self.op {
            "exists" if self.value.is_none() => Ok(PropertyTest::Exists),
            "exists" => Err(self.unfit("has no place beside `exists`: use `not` for its opposite")),
            "contains" => Ok(PropertyTest::Contains(self.text(self.required()?)?)),
            "in" => {
                Ok(PropertyTest::In(self.list()?.iter().map(|v| self.scalar(v)).collect::<Result<_, _>>()?))
            }
            _ => Ok(PropertyTest::In(vec![self.scalar(self.required()?)?])),
        }
    }

    fn text_test(self) -> Result<TextTest, QueryFault> {
        if let Some(comparison) = comparison(self.op) {
            return Ok(TextTest::Compare(comparison, self.text(self.required()?)?));
        }
        match self.op {
            "exists" => Err(self.not_here("event_type and user_id are always there")),
            "contains" => Ok(TextTest::Contains(self.text(self.required()?)?)),
            "in" => Ok(TextTest::In(self.list()?.iter().map(|v| self.text(v)).collect::<Result<_, _>>()?)),
            _ => Ok(TextTest::In(vec![self.text(self.required()?)?])),
        }
    }

    fn time(self) -> Result<Filter, QueryFault> {
        let Some(comparison) = comparison(self.op) else {
            return Err(self.not_here("a time takes gt, gte, lt, lte"));
        };
        let text = self.text(self.required()?)?;
        let instant = DateTime::parse_from_rfc3339(&text).map_err(|_not_one| {
            QueryFault::new(
                format!("{}.value", self.path),
                "not_a_time",
                format_args!("{text:?} is not an RFC 3339 instant such as 2026-11-01T00:00:00Z"),
            )
        })?;
        Ok(Filter::Time(comparison, instant.to_utc()))
    }

    fn required(&self) -> Result<&Value, QueryFault> {
        self.value.as_ref().ok_or_else(|| QueryFault::required(format!("{}.value", self.path)))
    }

    fn list(&self) -> Result<&[Value], QueryFault> {
        match self.required()? {
            Value::Array(values) if !values.is_empty() && values.len() <= MAX_VALUES => Ok(values),
            _ => Err(self.unfit(format_args!("must be a list of 1 to {MAX_VALUES} values"))),
        }
    }

    fn scalar(&self, value: &Value) -> Result<Scalar, QueryFault> {
        match value {
            Value::Number(number) => Ok(Scalar::Number(number.clone())),
            Value::Bool(truth) => Ok(Scalar::Bool(*truth)),
            Value::String(_) => Ok(Scalar::Text(self.text(value)?)),
            _ => Err(self.unfit("must be a text, a number, true or false")),
        }
    }

    fn text(&self, value: &Value) -> Result<String, QueryFault> {
        match value {
            Value::String(text) if text.contains('\0') => {
                Err(self.unfit("must not contain the NUL character"))
            }
            Value::String(text) if text.chars().count() > MAX_TEXT_CHARS => {
                Err(self.unfit(format_args!("must have at most {MAX_TEXT_CHARS} characters")))
            }
            Value::String(text) => Ok(text.clone()),
            _ => Err(self.unfit("must be a text")),
        }
    }

    fn unfit(&self, reason: impl std::fmt::Display) -> QueryFault {
        QueryFault::new(format!("{}.value", self.path), "invalid", reason)
    }

    fn not_here(&self, reason: &str) -> QueryFault {
        QueryFault::new(
            format!("{}.op", self.path),
            "unknown_value",
            format_args!("{:?} has no place here: {reason}", self.op),
        )
    }
}

fn comparison(op: &str) -> Option<Comparison> {
    match op {
        "gt" => Some(Comparison::Greater),
        "gte" => Some(Comparison::AtLeast),
        "lt" => Some(Comparison::Less),
        "lte" => Some(Comparison::AtMost),
        _ => None,
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
