//! What somebody missed who was away.

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::Notification;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// Notifications that are looked at for one page. Where few of many are for the caller's eyes, pages are short, never slow.
const LOOKED_AT: usize = 500;

/// Some of what was told, in the order in which it was.
#[derive(Debug, Default)]
pub struct Missed {
    /// Each with its cursor.
    pub notifications: Vec<(u64, Notification)>,
    /// How far was looked: from here on something may still be missed.
    pub cursor: u64,
    /// Whether there may be more.
    pub more: bool,
    /// Whether nothing that came after the caller's cursor is forgotten yet.
    pub complete: bool,
}

/// At most `limit` of the project's notifications behind `after` that `sees` lets through; of all that is kept if it is
/// `None`.
///
/// # Errors
/// When the broker is away, or nothing was ever kept there.
pub async fn since(
    broker: &Broker,
    project: ProjectId,
    after: Option<u64>,
    limit: usize,
    sees: impl Fn(&Notification) -> bool,
) -> Result<Missed, MessagingError> {
    let stream = stream(broker).await?;
    let state = &stream.cached_info().state;
    let (first, last) = (state.first_sequence, state.last_sequence);
    // A cursor from the future is one of a stream that was lost, and this is another.
    let known = after.filter(|after| *after <= last);
    let complete = after.is_none_or(|after| after <= last && after.saturating_add(1) >= first);
    let mut missed = Missed { cursor: known.unwrap_or_default(), complete, ..Missed::default() };
    let subject = subjects::notifications(project);
    for _ in 0..LOOKED_AT {
        if missed.notifications.len() >= limit {
            missed.more = missed.cursor < last;
            return Ok(missed);
        }
        if missed.cursor >= last {
            return Ok(missed);
        }
        let next = stream.get_first_raw_message_by_subject(&subject, missed.cursor + 1).await;
        let message = match next {
            Ok(message) => message,
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                // All up to `last` are of other projects.
                missed.cursor = last;
                return Ok(missed);
            }
            Err(error) => return Err(MessagingError::unavailable(error)),
        };
        missed.cursor = message.sequence;
        match serde_json::from_slice::<Notification>(&message.payload) {
            Ok(notification) if sees(&notification) => {
                missed.notifications.push((message.sequence, notification));
            }
            Ok(_not_theirs) => {}
            Err(error) => tracing::warn!(%error, "a notification cannot be read"),
        }
    }
    missed.more = missed.cursor < last;
    Ok(missed)
}

/// The cursor behind which there is nothing yet.
///
/// # Errors
/// When the broker is away, or nothing was ever kept there.
pub async fn newest(broker: &Broker) -> Result<u64, MessagingError> {
    Ok(stream(broker).await?.cached_info().state.last_sequence)
}

async fn stream(broker: &Broker) -> Result<Stream, MessagingError> {
    broker.check_connected()?;
    broker.jetstream.get_stream(subjects::NOTIFICATIONS_STREAM).await.map_err(MessagingError::unavailable)
}
