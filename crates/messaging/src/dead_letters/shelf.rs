//! Looking at dead letters, and taking them from where they lie.
//!
//! The stream is its own index: a letter's sequence is its id, the subject is its project, and what else is asked for
//! is found by looking. They are read in the order in which they were put away.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::{DeleteMessageErrorKind, RawMessageErrorKind, Stream};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;

use super::filter::Filter;
use super::letter::Letter;
use super::time;
use crate::broker::Broker;
use crate::error::MessagingError;
use crate::publisher::acknowledge;
use crate::subjects;

/// Letters that are looked at for one page. A filter that fits few of many gives short pages, never slow ones.
const LOOKED_AT: usize = 2_000;
/// Letters fetched at a time, and their bytes.
const FETCH: usize = 200;
const FETCH_BYTES: usize = 16 << 20;
/// After this the broker forgets a reader that has gone away.
const FORGOTTEN: Duration = Duration::from_secs(30);

/// Some letters, in the order in which they were put away.
#[derive(Debug)]
pub struct Found {
    /// At most as many as were asked for.
    pub letters: Vec<Letter>,
    /// Where to go on looking; `None` where there is nothing more to look at.
    pub next: Option<u64>,
}

/// The first `limit` letters behind `after` that the filter means. There may be more of them, even when there are none
/// here: `next` tells.
///
/// # Errors
/// When the broker is away.
pub async fn page(
    broker: &Broker,
    filter: &Filter,
    after: Option<u64>,
    limit: usize,
) -> Result<Found, MessagingError> {
    let Some(stream) = stream(broker).await? else { return Ok(Found { letters: Vec::new(), next: None }) };
    let deliver_policy = match (after, filter.from.and_then(start_of)) {
        (Some(after), _) => DeliverPolicy::ByStartSequence { start_sequence: after.saturating_add(1) },
        (None, Some(start_time)) => DeliverPolicy::ByStartTime { start_time },
        (None, None) => DeliverPolicy::All,
    };
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        filter_subject: filter.project.map(subjects::dead_letters).unwrap_or_default(),
        inactive_threshold: FORGOTTEN,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let reader = stream.create_consumer(config).await.map_err(MessagingError::unavailable)?;
    let found = look(&reader, filter, limit).await;
    // It would be forgotten by itself.
    let _ = stream.delete_consumer(&reader.cached_info().name).await;
    found
}

type Reader = async_nats::jetstream::consumer::Consumer<pull::Config>;

async fn look(reader: &Reader, filter: &Filter, limit: usize) -> Result<Found, MessagingError> {
    let mut letters = Vec::new();
    let (mut looked_at, mut pending) = (0, reader.cached_info().num_pending);
    while pending > 0 {
        let fetched = reader.fetch().max_messages(FETCH).max_bytes(FETCH_BYTES).messages();
        let mut messages = fetched.await.map_err(MessagingError::unavailable)?;
        let before = looked_at;
        while let Some(message) = messages.next().await {
            let message = message.map_err(MessagingError::unavailable)?;
            let info = message.info().map_err(MessagingError::unavailable)?;
            let (id, at) = (info.stream_sequence, time_of(info.published.unix_timestamp_nanos()));
            pending = info.pending;
            looked_at += 1;
            let letter =
                Letter::read(id, &message.subject, message.headers.as_ref(), message.payload.clone(), at);
            if filter.to.is_some_and(|to| at >= to) {
                return Ok(Found { letters, next: None });
            }
            if filter.matches(&letter) {
                letters.push(letter);
            }
            if letters.len() >= limit || looked_at >= LOOKED_AT {
                return Ok(Found { letters, next: (pending > 0).then_some(id) });
            }
        }
        if looked_at == before {
            // What was pending has been deleted meanwhile.
            break;
        }
    }
    Ok(Found { letters, next: None })
}

/// The letter with this id, if there is one.
///
/// # Errors
/// When the broker is away.
pub async fn get(broker: &Broker, id: u64) -> Result<Option<Letter>, MessagingError> {
    // Sequences begin with 1. The broker takes 0 for a question without one, and refuses it.
    if id == 0 {
        return Ok(None);
    }
    let Some(stream) = stream(broker).await? else { return Ok(None) };
    match stream.get_raw_message(id).await {
        Ok(found) => {
            let at = time_of(found.time.unix_timestamp_nanos());
            Ok(Some(Letter::read(id, &found.subject, Some(&found.headers), found.payload, at)))
        }
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(MessagingError::unavailable(error)),
    }
}

/// Puts a letter back into the log it came from, then takes it from the shelf. A crash in between leaves it on both,
/// and an event that is replayed twice is stored once.
///
/// # Errors
/// When the broker is away, or the log full.
pub async fn replay(broker: &Broker, letter: &Letter) -> Result<(), MessagingError> {
    broker.check_connected()?;
    let subject = letter.subject.clone().filter(|subject| is_a_log(subject));
    let subject = subject.unwrap_or_else(|| subjects::events(letter.project));
    let mut headers = HeaderMap::new();
    let first = letter.first_failed_at.unwrap_or(letter.put_away_at);
    headers.insert(subjects::FIRST_FAILURE_HEADER, time(first).as_str());
    headers.insert(subjects::REPLAYS_HEADER, letter.replays.saturating_add(1).to_string().as_str());
    for request in &letter.request_ids {
        headers.append(subjects::REQUEST_ID_HEADER, request.as_str());
    }
    for key in &letter.key_ids {
        headers.append(subjects::KEY_ID_HEADER, key.to_string().as_str());
    }
    acknowledge(broker, subject, headers, letter.payload.clone()).await?;
    discard(broker, letter.id).await
}

/// Deletes a letter, if it is there.
///
/// # Errors
/// When the broker is away.
pub async fn discard(broker: &Broker, id: u64) -> Result<(), MessagingError> {
    let Some(stream) = stream(broker).await? else { return Ok(()) };
    let Err(error) = stream.delete_message(id).await else { return Ok(()) };
    if !matches!(error.kind(), DeleteMessageErrorKind::JetStream(_)) {
        return Err(MessagingError::unavailable(error));
    }
    // The broker refuses what is not there any more, and that is as well.
    match get(broker, id).await? {
        None => Ok(()),
        Some(_) => Err(MessagingError::unavailable(error)),
    }
}

/// The id of the newest letter there has been.
///
/// # Errors
/// When the broker is away.
pub async fn newest(broker: &Broker) -> Result<u64, MessagingError> {
    Ok(stream(broker).await?.map_or(0, |stream| stream.cached_info().state.last_sequence))
}

/// What a dead letter says it came from is somebody's word: only these may be written to.
fn is_a_log(subject: &str) -> bool {
    ["events.v1.", "audit.v1."].iter().any(|prefix| subject.starts_with(prefix))
        && !subject.contains(['*', '>', ' '])
}

/// `None` before a worker has made it.
async fn stream(broker: &Broker) -> Result<Option<Stream>, MessagingError> {
    broker.check_connected()?;
    match broker
        .jetstream
        .get_stream(subjects::DEAD_LETTERS_STREAM)
        .await
        .map_err(|error| (error.kind(), error))
    {
        Ok(stream) => Ok(Some(stream)),
        Err((GetStreamErrorKind::JetStream(error), _))
            if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
        {
            Ok(None)
        }
        Err((_, error)) => Err(MessagingError::unavailable(error)),
    }
}

fn time_of(nanos: i128) -> DateTime<Utc> {
    i64::try_from(nanos).map(DateTime::from_timestamp_nanos).unwrap_or_default()
}

fn start_of(time: DateTime<Utc>) -> Option<async_nats::datetime::DateTime> {
    async_nats::datetime::from_nanos(i128::from(time.timestamp_nanos_opt()?)).ok()
}
