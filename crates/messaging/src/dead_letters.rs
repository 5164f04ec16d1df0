//! Events that can never be stored, kept with the reason.

use async_nats::HeaderMap;
use bytes::Bytes;
use millrace_domain::ids::ProjectId;

use crate::broker::Broker;
use crate::consumer::Delivery;
use crate::error::MessagingError;
use crate::subjects;

/// An event, or a message that is no batch of events, on its way out.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// An `EventBatch` of the one event; whatever it was, if it could not be read.
    pub payload: Bytes,
    /// Machine-readable, few values: it is a metric's label.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
}

/// Puts a dead letter away, durably, with the lineage of the message it was in.
///
/// # Errors
/// When the broker is away or has no room for it. The message must then stay in the log.
pub async fn bury(broker: &Broker, from: &Delivery, letter: DeadLetter) -> Result<(), MessagingError> {
    let project = subjects::project_in(from.subject()).unwrap_or(ProjectId(uuid::Uuid::nil()));
    let mut headers = HeaderMap::new();
    headers.insert(subjects::REASON_HEADER, letter.reason);
    // A header is one line.
    headers.insert(subjects::DETAIL_HEADER, letter.detail.replace(['\r', '\n'], " ").as_str());
    headers.insert(subjects::SEQUENCE_HEADER, from.stream_seq.to_string().as_str());
    if let Some(request_id) = from.header(subjects::REQUEST_ID_HEADER) {
        headers.insert(subjects::REQUEST_ID_HEADER, request_id);
    }
    broker
        .jetstream
        .publish_with_headers(subjects::dead_letters(project), headers, letter.payload)
        .await
        .map_err(MessagingError::unavailable)?
        .await
        .map_err(MessagingError::unavailable)?;
    Ok(())
}
