//! Why a question in the query language was refused, with the path to the field at fault.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::analytics::query_error::QueryError;

/// A field that cannot be used. The message begins with the field's path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryFault {
    /// The path to it: `steps[1].filter.and[0].value`.
    pub field: String,
    /// The reason for programs, stable across versions.
    pub code: &'static str,
    /// The reason for people.
    pub message: String,
}

impl QueryFault {
    /// A fault of `field`; `reason` continues the sentence that begins with its path.
    #[must_use]
    pub fn new(field: impl Into<String>, code: &'static str, reason: impl std::fmt::Display) -> Self {
        let field = field.into();
        let message = format!("{field} {reason}");
        Self { field, code, message }
    }

    /// A field that must be there and is not.
    #[must_use]
    pub fn required(field: impl Into<String>) -> Self {
        Self::new(field, "required", "is required")
    }

    /// One of the words that a field does not take.
    #[must_use]
    pub fn unknown_value(field: impl Into<String>, value: &str, expected: &[&str]) -> Self {
        Self::new(field, "unknown_value", format_args!("{value:?} is not one of {}", expected.join(", ")))
    }

    /// A number that is not from `min` to `max`.
    #[must_use]
    pub fn out_of_range(field: impl Into<String>, value: &Value, min: u64, max: u64) -> Self {
        Self::new(field, "out_of_range", format_args!("{value} is not a whole number from {min} to {max}"))
    }

    /// The same fault of a field inside of `parent`.
    #[must_use]
    pub fn within(self, parent: &str) -> Self {
        if parent.is_empty() {
            return self;
        }
        let field = match self.field.as_str() {
            "" => parent.to_owned(),
            index if index.starts_with('[') => format!("{parent}{index}"),
            name => format!("{parent}.{name}"),
        };
        let reason = self.message.strip_prefix(&self.field).unwrap_or(&self.message);
        Self { message: format!("{field}{reason}"), field, code: self.code }
    }
}

impl From<QueryError> for QueryFault {
    fn from(error: QueryError) -> Self {
        Self { field: error.field().to_owned(), code: error.code(), message: error.to_string() }
    }
}

/// Reads `value` as `T`, naming the field that does not fit by its path. `T` must refuse unknown fields.
///
/// # Errors
/// A field that is unknown, missing or of another type.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, QueryFault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        let reason = error.inner().to_string();
        let named = |prefix: &str| Some(reason.strip_prefix(prefix)?.split_once('`')?.0.to_owned());
        let child = |name: &str| {
            if path.is_empty() || path.ends_with(name) { path.clone() } else { format!("{path}.{name}") }
        };
        if let Some(name) = named("unknown field `") {
            let field = if path.is_empty() { name } else { child(&name) };
            return QueryFault::new(field, "unknown", "is not a field here");
        }
        if let Some(name) = named("missing field `") {
            return QueryFault::required(if path.is_empty() { name } else { format!("{path}.{name}") });
        }
        QueryFault::new(if path.is_empty() { "body".to_owned() } else { path }, "invalid", reason)
    })
}

/// A whole number from `min` to `max`, or the digits of one, as a URL has it.
pub(crate) fn whole_number(
    field: &str,
    value: Option<&Value>,
    default: u64,
    min: u64,
    max: u64,
) -> Result<u64, QueryFault> {
    let Some(value) = value else { return Ok(default) };
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        other => other.as_u64(),
    };
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| QueryFault::out_of_range(field, value, min, max))
}

/// One of `words`, or the default.
pub(crate) fn word<T: Copy>(
    field: &str,
    text: Option<&str>,
    default: T,
    words: &[(&'static str, T)],
) -> Result<T, QueryFault> {
    let Some(text) = text else { return Ok(default) };
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        QueryFault::unknown_value(field, text, &words.iter().map(|(word, _)| *word).collect::<Vec<_>>())
    })
}
