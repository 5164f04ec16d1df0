//! Texts with a length law. A value of one of these types has been checked; there is no other way to make one.

use std::fmt;
use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// Why a text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// Nothing in it.
    #[error("must not be empty")]
    Empty,
    /// More characters than the field holds.
    #[error("must have at most {max} characters, has {found}")]
    TooLong {
        /// The most characters the field holds.
        max: usize,
        /// The characters that were sent.
        found: usize,
    },
    /// U+0000, which PostgreSQL cannot store in a text.
    #[error("must not contain the NUL character")]
    Nul,
}

fn check(text: &str, max: usize) -> Result<(), TextFault> {
    if text.is_empty() {
        return Err(TextFault::Empty);
    }
    if text.contains('\0') {
        return Err(TextFault::Nul);
    }
    // A character takes at least one byte, so a short text needs no counting.
    if text.len() > max {
        let found = text.chars().count();
        if found > max {
            return Err(TextFault::TooLong { max, found });
        }
    }
    Ok(())
}

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The most characters it holds.
            pub const MAX_CHARS: usize = $max;

            /// Checks the length and the absence of NUL.
            ///
            /// # Errors
            /// Says which of the two laws the text breaks.
            pub fn parse(text: &str) -> Result<Self, TextFault> {
                check(text, Self::MAX_CHARS)?;
                Ok(Self(text.into()))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

bounded_text!(
    /// What happened: `page_view`, `order_completed`. 1 to 100 characters.
    EventType, 100
);
bounded_text!(
    /// The application's own name for a distinct user. 1 to 255 characters.
    UserId, 255
);
bounded_text!(
    /// The application's own name for a session. 1 to 255 characters.
    SessionId, 255
);
bounded_text!(
    /// The name of a member of an event's `properties`. 1 to 255 characters.
    PropertyName, 255
);
bounded_text!(
    /// What people call a project or a key. 1 to 100 characters.
    Name, 100
);
bounded_text!(
    /// What people call an insight or a dashboard. 1 to 200 characters.
    Title, 200
);
bounded_text!(
    /// What a client says of itself or of its request, kept for people to read. 1 to 200 characters.
    ShortText, 200
);

impl ShortText {
    /// As much of it as is kept; none of a text that cannot be.
    #[must_use]
    pub fn cut(text: &str) -> Option<Self> {
        let end = text.char_indices().nth(Self::MAX_CHARS).map_or(text.len(), |(end, _)| end);
        Self::parse(text.get(..end)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(EventType::parse(&"é".repeat(100)).is_ok());
        assert_eq!(EventType::parse(&"é".repeat(101)), Err(TextFault::TooLong { max: 100, found: 101 }));
    }

    #[test]
    fn nothing_and_nul_are_refused() {
        assert_eq!(UserId::parse(""), Err(TextFault::Empty));
        assert_eq!(UserId::parse("a\0b"), Err(TextFault::Nul));
    }
}
