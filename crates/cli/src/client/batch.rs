use std::ops::Range;

use serde::Serialize;
use thiserror::Error;

use crate::api::MAX_EVENT_BYTES;

/// Events on their way, as the JSON that will be sent.
///
/// The text lies in one buffer, so that any run of events can become a request without being
/// written again: that is how a batch is split.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events, with a comma after each.
    json: Vec<u8>,
    /// Where each event ends, its comma included.
    ends: Vec<usize>,
}

/// An event that cannot be sent.
#[derive(Debug, Error)]
pub enum PushError {
    /// It is larger than any server takes.
    #[error("the event has {0} bytes, more than the {MAX_EVENT_BYTES} that one may have")]
    TooLarge(usize),
    /// It has no JSON form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Batch {
    /// Adds an event at the end; on an error the batch is as before.
    ///
    /// # Errors
    /// When the event has no JSON form or a larger one than [`MAX_EVENT_BYTES`].
    pub fn push<T: Serialize>(&mut self, event: &T) -> Result<(), PushError> {
        let before = self.json.len();
        let written = serde_json::to_writer(&mut self.json, event).map_err(PushError::Json).and_then(|()| {
            let size = self.json.len() - before;
            if size > MAX_EVENT_BYTES { Err(PushError::TooLarge(size)) } else { Ok(()) }
        });
        if written.is_err() {
            self.json.truncate(before);
        } else {
            self.json.push(b',');
            self.ends.push(self.json.len());
        }
        written
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The size of a request with all of them, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.json.len() + 1
    }

    /// The events of a range as a JSON array.
    #[must_use]
    pub fn body(&self, range: Range<usize>) -> Vec<u8> {
        let offset = |count: usize| match count.checked_sub(1) {
            None => 0,
            Some(last) => self.ends.get(last).copied().unwrap_or(self.json.len()),
        };
        let events = self.json.get(offset(range.start)..offset(range.end)).unwrap_or_default();
        let mut body = Vec::with_capacity(events.len() + 2);
        body.push(b'[');
        body.extend_from_slice(events.strip_suffix(b",").unwrap_or(events));
        body.push(b']');
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_run_of_events_becomes_an_array() {
        let mut batch = Batch::default();
        for number in 0..4 {
            batch.push(&number).unwrap();
        }
        assert_eq!(batch.body(0..4), b"[0,1,2,3]");
        assert_eq!(batch.body(1..3), b"[1,2]");
        assert_eq!(batch.body(3..4), b"[3]");
        assert_eq!(batch.body(2..2), b"[]");
    }

    #[test]
    fn an_event_that_is_too_large_leaves_no_trace() {
        let mut batch = Batch::default();
        batch.push(&"x".repeat(MAX_EVENT_BYTES - 2)).unwrap();
        let size = batch.size();
        assert!(matches!(batch.push(&"x".repeat(MAX_EVENT_BYTES - 1)), Err(PushError::TooLarge(32769))));
        assert_eq!((batch.len(), batch.size()), (1, size));
    }
}
