//! Events that can never be stored, kept with the reason and where they came from.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use millrace_domain::ids::ProjectId;
use uuid::Uuid;

use crate::broker::Broker;
use crate::consumer::Delivery;
use crate::error::MessagingError;
use crate::publisher::acknowledge;
use crate::source::Source;
use crate::subjects;

pub mod filter;
pub mod letter;
pub mod orders;
pub mod shelf;

/// An event, or a message that is no batch of events, on its way out.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// An `EventBatch` of the one event; whatever it was, if it could not be read.
    pub payload: Bytes,
    /// Machine-readable, few values: it is a metric's label.
    pub reason: &'static str,
    /// For people.
    pub detail: String,
    /// Who sent it, where that is known of this event alone. Otherwise all who sent the message are named.
    pub source: Option<Arc<Source>>,
}

/// The message that a dead letter was in.
#[derive(Clone, Copy, Debug)]
pub struct Lineage<'a> {
    /// The subject it was published to.
    pub subject: &'a str,
    /// Its sequence in its stream.
    pub sequence: u64,
    /// How often it had been delivered.
    pub deliveries: u64,
    /// When it first failed, as far as whoever buries it knows.
    pub failing_since: DateTime<Utc>,
    /// Its headers.
    pub headers: Option<&'a HeaderMap>,
}

impl<'a> Lineage<'a> {
    /// A message in hand, which has been failing since then.
    #[must_use]
    pub fn of(delivery: &'a Delivery, failing_since: DateTime<Utc>) -> Self {
        Self {
            subject: delivery.subject(),
            sequence: delivery.stream_seq,
            deliveries: delivery.attempt,
            failing_since,
            headers: delivery.header_map(),
        }
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let all = self.headers.map(|headers| headers.get_all(name));
        all.into_iter().flatten().map(async_nats::HeaderValue::as_str)
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers?.get(name).map(async_nats::HeaderValue::as_str)
    }
}

/// Puts a dead letter away, durably, with its lineage. The same letter of the same message within an hour is one,
/// so a crash before the message is settled does not double it.
///
/// # Errors
/// When the broker is away or has no room for it. The message must then stay in the log.
pub async fn bury(broker: &Broker, from: Lineage<'_>, letter: DeadLetter) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let project = subjects::project_in(from.subject).unwrap_or(ProjectId(Uuid::nil()));
    let headers = headers(from, &letter, project, Utc::now());
    acknowledge(broker, subjects::dead_letters(project), headers, letter.payload).await
}

fn headers(from: Lineage<'_>, letter: &DeadLetter, project: ProjectId, now: DateTime<Utc>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str| headers.append(name, one_line(value).as_str());
    put(subjects::REASON_HEADER, letter.reason);
    put(subjects::DETAIL_HEADER, &letter.detail);
    put(subjects::SEQUENCE_HEADER, &from.sequence.to_string());
    put(subjects::SUBJECT_HEADER, from.subject);
    put(subjects::DELIVERIES_HEADER, &from.deliveries.to_string());
    // A replayed event says itself when it first failed.
    let first =
        from.header(subjects::FIRST_FAILURE_HEADER).map_or_else(|| time(from.failing_since), str::to_owned);
    put(subjects::FIRST_FAILURE_HEADER, &first);
    put(subjects::LAST_FAILURE_HEADER, &time(now));
    if let Some(replays) = from.header(subjects::REPLAYS_HEADER) {
        put(subjects::REPLAYS_HEADER, replays);
    }
    match &letter.source {
        Some(source) => {
            put(subjects::REQUEST_ID_HEADER, &source.request_id);
            if let Some(key) = source.key_id {
                put(subjects::KEY_ID_HEADER, &key.to_string());
            }
        }
        None => {
            for name in [subjects::REQUEST_ID_HEADER, subjects::KEY_ID_HEADER] {
                from.headers(name).for_each(|value| put(name, value));
            }
        }
    }
    let sequence = from.sequence.to_be_bytes();
    let identity = [sequence.as_slice(), from.subject.as_bytes(), letter.payload.as_ref()].concat();
    headers.insert(NATS_MESSAGE_ID, Uuid::new_v5(&project.0, &identity).to_string().as_str());
    headers
}

fn one_line(value: &str) -> String {
    value.replace(['\r', '\n'], " ")
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
