//! Messages as they stand, whether or not their events keep the laws: what is shown, kept and looked through.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::text::UserId;
use prost::Message;
use uuid::Uuid;

use super::v1;

/// An event as it stands in a message, whether or not it keeps the laws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    /// Its id, if it has 16 bytes.
    pub event_id: Option<Uuid>,
    /// What happened.
    pub event_type: String,
    /// Whom it happened to.
    pub user_id: String,
    /// When, if it is a time.
    pub occurred_at: Option<DateTime<Utc>>,
    /// The session.
    pub session_id: Option<String>,
    /// Text that should be a JSON object.
    pub properties: String,
    /// Text that should be a JSON object.
    pub context: Option<String>,
}

/// The events of a message as they stand there; none if it is no batch.
#[must_use]
pub fn peek(payload: &[u8]) -> Vec<Unchecked> {
    let batch = v1::EventBatch::decode(payload).unwrap_or_default();
    let events = batch.events.into_iter().map(|event| Unchecked {
        event_id: Uuid::from_slice(&event.event_id).ok(),
        event_type: event.event_type,
        user_id: event.user_id,
        occurred_at: DateTime::from_timestamp_micros(event.occurred_at_us),
        session_id: event.session_id,
        properties: event.properties,
        context: event.context,
    });
    events.collect()
}

/// The same message with nothing in it that must not be kept; what cannot be read stays as it is.
#[must_use]
pub fn without_addresses(payload: &Bytes) -> Bytes {
    match v1::EventBatch::decode(payload.as_ref()) {
        Ok(mut batch) if batch.sources.iter().any(|source| !source.address.is_empty()) => {
            batch.sources.iter_mut().for_each(|source| source.address.clear());
            Bytes::from(batch.encode_to_vec())
        }
        _ => payload.clone(),
    }
}

/// Whether a message has something of a user in it. What is no batch of events is looked through byte by byte.
#[must_use]
pub fn mentions(bytes: &[u8], user: &UserId) -> bool {
    let name = user.as_str();
    let anywhere = || bytes.windows(name.len()).any(|part| part == name.as_bytes());
    match v1::EventBatch::decode(bytes) {
        // Bytes that mean something else may still decode, to a batch of nothing.
        Ok(batch) if batch.project_id.len() == 16 => batch.events.iter().any(|event| event.user_id == name),
        _ => anywhere(),
    }
}
