//! A dead letter as it lies there.

use async_nats::HeaderMap;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::ids::{KeyId, ProjectId};
use uuid::Uuid;

use crate::subjects;
use crate::wire::{self, Unchecked};

/// A dead letter and its lineage. What whoever put it away did not say is `None`.
#[derive(Clone, Debug)]
pub struct Letter {
    /// Its place among the dead letters, which nothing else ever gets.
    pub id: u64,
    /// The project of the subject; nil for one that names none.
    pub project: ProjectId,
    /// Why it is dead: a stable word.
    pub reason: String,
    /// Why it is dead, for people.
    pub detail: String,
    /// When it first failed, before any replay.
    pub first_failed_at: Option<DateTime<Utc>>,
    /// When it failed last.
    pub last_failed_at: Option<DateTime<Utc>>,
    /// When it was put away, by the broker's clock.
    pub put_away_at: DateTime<Utc>,
    /// How often the message it was in had been delivered.
    pub deliveries: Option<u64>,
    /// How often it has been replayed.
    pub replays: u64,
    /// The subject of that message.
    pub subject: Option<String>,
    /// The sequence of that message in its stream.
    pub stream_sequence: Option<u64>,
    /// The requests that may have brought it; one, where that is known.
    pub request_ids: Vec<String>,
    /// The API keys it may have been sent with; one, where that is known.
    pub key_ids: Vec<KeyId>,
    /// What is in it, as far as it is a batch of events.
    pub events: Vec<Unchecked>,
    /// What is in it.
    pub payload: Bytes,
}

impl Letter {
    pub(super) fn read(
        id: u64,
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: Bytes,
        put_away_at: DateTime<Utc>,
    ) -> Self {
        let header = |name: &str| headers?.get(name).map(|value| value.as_str().to_owned());
        let all = |name: &str| {
            let values = headers.into_iter().flat_map(|headers| headers.get_all(name));
            values.map(|value| value.as_str().to_owned()).collect::<Vec<String>>()
        };
        let number = |name: &str| header(name)?.parse().ok();
        let time = |name: &str| header(name)?.parse().ok();
        Self {
            id,
            project: subjects::project_in(subject).unwrap_or(ProjectId(Uuid::nil())),
            reason: header(subjects::REASON_HEADER).unwrap_or_default(),
            detail: header(subjects::DETAIL_HEADER).unwrap_or_default(),
            first_failed_at: time(subjects::FIRST_FAILURE_HEADER),
            last_failed_at: time(subjects::LAST_FAILURE_HEADER),
            put_away_at,
            deliveries: number(subjects::DELIVERIES_HEADER),
            replays: number(subjects::REPLAYS_HEADER).unwrap_or_default(),
            subject: header(subjects::SUBJECT_HEADER),
            stream_sequence: number(subjects::SEQUENCE_HEADER),
            request_ids: all(subjects::REQUEST_ID_HEADER),
            key_ids: all(subjects::KEY_ID_HEADER).iter().filter_map(|id| id.parse().ok()).collect(),
            events: wire::peek(&payload),
            payload,
        }
    }
}
