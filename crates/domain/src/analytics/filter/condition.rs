//! Conditions as they are written.

use chrono::DateTime;
use serde_json::Value;

use super::{Comparison, Filter, PropertyTest, Scalar, TextTest};
use crate::analytics::query_fault::QueryFault;
use crate::text::PropertyName;

/// The most values of one `in`.
pub const MAX_VALUES: usize = 1_000;
const MAX_TEXT_CHARS: usize = 1_000;
const FIELDS: &[&str] = &["event_type", "user_id", "time", "cohort"];
/// The most cohorts of one condition.
const MAX_COHORTS: usize = 20;

/// A condition as it is written, but for what it is on.
pub(super) struct Condition<'a> {
    pub(super) path: &'a str,
    pub(super) op: &'a str,
    pub(super) value: Option<Value>,
}

impl Condition<'_> {
    /// The condition on a property or a field.
    pub(super) fn parse(self, property: Option<String>, field: Option<String>) -> Result<Filter, QueryFault> {
        let negated = matches!(self.op, "neq" | "not_in");
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
            (None, Some("cohort")) => self.cohort()?,
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
            "in" | "not_in" => {
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
            "in" | "not_in" => {
                Ok(TextTest::In(self.list()?.iter().map(|v| self.text(v)).collect::<Result<_, _>>()?))
            }
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

    fn cohort(self) -> Result<Filter, QueryFault> {
        if !matches!(self.op, "in" | "not_in") {
            return Err(self.not_here("a cohort takes in, not_in"));
        }
        let ids = match self.required()? {
            Value::Array(ids) if !ids.is_empty() && ids.len() <= MAX_COHORTS => ids.as_slice(),
            one @ Value::String(_) => std::slice::from_ref(one),
            _ => {
                return Err(
                    self.unfit(format_args!("must be the id of a cohort, or a list of 1 to {MAX_COHORTS}"))
                );
            }
        };
        let id = |id: &Value| {
            let id = id.as_str().and_then(|id| id.parse().ok());
            id.ok_or_else(|| self.unfit("must be the id of a cohort"))
        };
        Ok(Filter::Cohort(ids.iter().map(id).collect::<Result<_, _>>()?))
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
