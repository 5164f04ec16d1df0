//! The event: the one thing Millrace stores.

use chrono::{DateTime, Utc};

use crate::ids::EventId;
use crate::json::JsonObject;
use crate::text::{EventType, SessionId, UserId};

/// An event whose identity is settled: `(project, event_id, occurred_at)` will be the same however often its
/// sender, the broker or a crash makes it arrive again.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Chosen by the sender, or a UUIDv7 made for it.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Whom it happened to.
    pub user_id: UserId,
    /// When, in microseconds: PostgreSQL's resolution. A finer time would not equal itself once stored.
    pub occurred_at: DateTime<Utc>,
    /// The session the sender put it in.
    pub session_id: Option<SessionId>,
    /// Whatever else the sender said, as it was written.
    pub properties: JsonObject,
    /// About the sending rather than the happening: library, page, device.
    pub context: Option<JsonObject>,
}
