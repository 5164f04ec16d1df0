//! Accepted events for whoever watches them come in, on core NATS: `docs/nats.md` has the message as JSON. They are
//! shown after the log has acknowledged them, as many as a person could read, and not kept.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

mod attention;
pub mod tap;

/// The messages about a project's events from now on, each a [`LiveMessage`].
///
/// # Errors
/// When the connection is closed for good.
pub async fn listen(
    broker: &Broker,
    project: ProjectId,
) -> Result<impl Stream<Item = Bytes> + Send + Unpin + use<>, MessagingError> {
    let messages = broker.client.subscribe(subjects::live(project)).await;
    Ok(messages.map_err(MessagingError::unavailable)?.map(|message| message.payload))
}

/// A message: some of the events that were accepted since the one before, by the same ingest.
#[derive(Debug, Serialize, Deserialize)]
pub struct LiveMessage<'a> {
    /// How many were accepted.
    pub accepted: u64,
    /// How many of them are here, as a part of 1.
    pub sample_rate: f64,
    /// Those that are, each a JSON object.
    #[serde(borrow)]
    pub events: Vec<&'a RawValue>,
}

/// What an event is watched by.
#[derive(Debug, Deserialize)]
pub struct Watched<'a> {
    /// Its type.
    #[serde(borrow)]
    pub event_type: std::borrow::Cow<'a, str>,
    /// Whom it happened to.
    #[serde(borrow)]
    pub user_id: std::borrow::Cow<'a, str>,
}

/// The part that so many are of so many.
#[must_use]
pub fn sample_rate(shown: usize, accepted: u64) -> f64 {
    let exact = |count: u64| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    if accepted == 0 { 1.0 } else { exact(u64::try_from(shown).unwrap_or(u64::MAX)) / exact(accepted) }
}

/// An event as it is shown: the words of the API.
#[derive(Serialize)]
struct Shown<'a> {
    event_id: millrace_domain::ids::EventId,
    event_type: &'a str,
    user_id: &'a str,
    occurred_at: chrono::DateTime<chrono::Utc>,
    received_at: chrono::DateTime<chrono::Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    properties: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a RawValue>,
}

/// The message that says of a sample of `accepted` events what it holds.
fn encode(sample: &EventBatch, accepted: u64) -> Result<Vec<u8>, serde_json::Error> {
    let shown = |event: &Event| {
        let context = event.context.as_ref();
        serde_json::value::to_raw_value(&Shown {
            event_id: event.event_id,
            event_type: event.event_type.as_str(),
            user_id: event.user_id.as_str(),
            occurred_at: event.occurred_at,
            received_at: sample.received_at,
            session_id: event.session_id.as_ref().map(|id| id.as_str()),
            properties: serde_json::from_str(event.properties.as_str())?,
            context: context.map(|context| serde_json::from_str(context.as_str())).transpose()?,
        })
    };
    let events = sample.events.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    serde_json::to_vec(&LiveMessage {
        accepted,
        sample_rate: sample_rate(events.len(), accepted),
        events: events.iter().map(|event| &**event).collect(),
    })
}

#[cfg(test)]
mod tests {
    use millrace_testkit::story::did;

    use super::*;

    #[test]
    fn what_is_shown_is_what_was_sent() {
        let sent =
            did("ada", "paid", "2026-11-01T12:00:00Z").with("properties", serde_json::json!({"price": 1.50}));
        let received_at = "2026-11-20T12:00:00Z".parse().unwrap();
        let sample = EventBatch { project_id: ProjectId::new(), received_at, events: vec![sent.event()] };
        let bytes = encode(&sample, 4).unwrap();
        let message: LiveMessage<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((message.accepted, message.sample_rate), (4, 0.25));
        let mut expected = sent.json();
        expected["received_at"] = "2026-11-20T12:00:00Z".into();
        assert_eq!(serde_json::from_str::<serde_json::Value>(message.events[0].get()).unwrap(), expected);
        let watched: Watched<'_> = serde_json::from_str(message.events[0].get()).unwrap();
        assert_eq!((&*watched.event_type, &*watched.user_id), ("paid", "ada"));
    }
}
