//! What can be concluded about an event from what its sender said, beyond what happened: which campaign and which site
//! brought the user, and whether it was a user at all.
//!
//! Conclusions go into the context under reserved names that begin with `$`. What the sender has set under such a name
//! stays: whoever was there knows better. Every conclusion follows from the event and its request alone, so it is the
//! same on every delivery.

pub mod additions;
pub mod bot;
pub mod campaign;
pub mod referrer;
pub mod told;

/// The longest value that is added, in characters.
const MAX_CHARS: usize = 200;

/// A text as it may be kept: one line, not empty, not long.
fn kept(text: &str) -> Option<String> {
    let kept: String = text.trim().chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    (!kept.is_empty()).then_some(kept)
}
