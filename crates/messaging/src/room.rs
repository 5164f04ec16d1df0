//! Whether the log has room. A full one is remembered for a moment, so that while events come faster than they can be
//! stored the machine stores, instead of taking requests apart only to refuse them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::MessagingError;

/// How long nothing is tried after the log was found full. A worker makes room for many messages at once, several times
/// a second.
const PAUSE: Duration = Duration::from_millis(100);

/// What the last refusal says of the present. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Room(Arc<Mutex<Option<Instant>>>);

impl Room {
    /// # Errors
    /// [`MessagingError::Full`] for a moment after it was found so.
    pub(crate) fn check(&self) -> Result<(), MessagingError> {
        let found_full = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found_full {
            Some(then) if then.elapsed() < PAUSE => Err(MessagingError::Full),
            _ => Ok(()),
        }
    }

    /// The broker has just refused a message for want of room.
    pub(crate) fn is_used_up(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}
