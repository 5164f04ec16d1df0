//! Why an event was not accepted. The codes are part of the API: clients match on them.

use serde::Serialize;

/// A machine-readable reason, stable across versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// The line or element is not JSON.
    MalformedJson,
    /// The line is not UTF-8.
    InvalidUtf8,
    /// The element is not a JSON object.
    NotAnObject,
    /// More bytes than one event may have.
    EventTooLarge,
    /// A top-level field that an event does not have.
    UnknownField,
    /// A field given twice, or under two of its spellings.
    DuplicateField,
    /// Not a UUID.
    InvalidEventId,
    /// No `event_type`.
    MissingEventType,
    /// Not a text of 1 to 100 characters.
    InvalidEventType,
    /// No `user_id`.
    MissingUserId,
    /// Not a text of 1 to 255 characters.
    InvalidUserId,
    /// Not RFC 3339 with a zone, before 1970, or more than a day ahead.
    InvalidOccurredAt,
    /// Not an object that can be stored.
    InvalidProperties,
    /// Not a text of 1 to 255 characters.
    InvalidSessionId,
    /// Not an object that can be stored.
    InvalidContext,
}

impl RejectionCode {
    /// The code as it stands in JSON and in metric labels.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NotAnObject => "not_an_object",
            Self::EventTooLarge => "event_too_large",
            Self::UnknownField => "unknown_field",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidEventId => "invalid_event_id",
            Self::MissingEventType => "missing_event_type",
            Self::InvalidEventType => "invalid_event_type",
            Self::MissingUserId => "missing_user_id",
            Self::InvalidUserId => "invalid_user_id",
            Self::InvalidOccurredAt => "invalid_occurred_at",
            Self::InvalidProperties => "invalid_properties",
            Self::InvalidSessionId => "invalid_session_id",
            Self::InvalidContext => "invalid_context",
        }
    }
}

/// One event's refusal, in words its sender can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, for programs.
    pub code: RejectionCode,
    /// The field at fault, when it is one.
    pub field: Option<String>,
    /// The reason, for people.
    pub message: String,
}

impl Rejection {
    /// A refusal of the event as a whole.
    #[must_use]
    pub fn whole(code: RejectionCode, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    /// A refusal that names a field; the message begins with the field's name.
    #[must_use]
    pub fn of_field(code: RejectionCode, field: &str, fault: impl std::fmt::Display) -> Self {
        Self { code, field: Some(field.to_owned()), message: format!("{field} {fault}") }
    }
}
