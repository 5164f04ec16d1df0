//! The unit that travels through the log: events of one project that were accepted together.

use chrono::{DateTime, Utc};

use crate::event::Event;
use crate::ids::ProjectId;

/// The most events one request may carry.
pub const MAX_EVENTS_PER_REQUEST: usize = 10_000;
/// The most bytes one event may have in the body of a request.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;
/// The most bytes one request may have once inflated.
pub const MAX_REQUEST_BYTES: usize = 10 * 1024 * 1024;

/// Accepted events of one project.
#[derive(Clone, Debug, PartialEq)]
pub struct EventBatch {
    /// The tenant, as the key that sent the events says, never as the events say.
    pub project_id: ProjectId,
    /// When the request was received.
    pub received_at: DateTime<Utc>,
    /// The events, in the order they were sent.
    pub events: Vec<Event>,
}
