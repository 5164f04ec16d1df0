//! Which events a question counts.

use crate::analytics::query_error::QueryError;
use crate::text::EventType;

/// The events that count as activity.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSelector {
    /// Every event.
    #[default]
    Any,
    /// Events of one type.
    Type(EventType),
}

impl EventSelector {
    /// Reads the parameter `field`; absent or empty means any event.
    ///
    /// # Errors
    /// A type that no event can have.
    pub fn parse(field: &'static str, event_type: Option<&str>) -> Result<Self, QueryError> {
        match event_type {
            None | Some("") => Ok(Self::Any),
            Some(text) => {
                EventType::parse(text).map(Self::Type).map_err(|fault| QueryError::EventType { field, fault })
            }
        }
    }

    /// The type asked for; nothing when any will do.
    #[must_use]
    pub fn event_type(&self) -> Option<&EventType> {
        match self {
            Self::Any => None,
            Self::Type(event_type) => Some(event_type),
        }
    }
}
