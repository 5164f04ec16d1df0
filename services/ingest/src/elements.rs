//! The elements of a JSON array that may be far too long.

use std::fmt;

use millrace_domain::batch::MAX_EVENTS_PER_REQUEST;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::split::SplitError;

/// The elements of an array, as text. What is beyond the limit is counted and not kept: ten megabytes of `0,0,0` are five
/// million elements.
pub(crate) struct Elements<'a> {
    kept: Vec<&'a RawValue>,
    found: usize,
}

impl<'a> Elements<'a> {
    /// All of them.
    ///
    /// # Errors
    /// When there are more than a request may carry.
    pub(crate) fn bounded(self) -> Result<Vec<&'a RawValue>, SplitError> {
        if self.found > self.kept.len() { Err(SplitError::TooMany(self.found)) } else { Ok(self.kept) }
    }
}

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut kept = Vec::new();
                while kept.len() < MAX_EVENTS_PER_REQUEST {
                    match array.next_element()? {
                        Some(element) => kept.push(element),
                        None => return Ok(Elements { found: kept.len(), kept }),
                    }
                }
                let mut found = kept.len();
                while array.next_element::<IgnoredAny>()?.is_some() {
                    found += 1;
                }
                Ok(Elements { kept, found })
            }
        }
        deserializer.deserialize_seq(Array)
    }
}
