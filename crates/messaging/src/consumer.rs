//! Taking messages from a stream. The pull request is the batcher: it ends when so many messages, so many bytes or so
//! much time have come together, and nothing is leased beyond what whoever works on it holds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::{AckKind, Message};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// The broker's words for the end of a pull whose bytes are used up. The client passes no code on.
const PULL_IS_FULL: &str = "Message Size Exceeds MaxBytes";

/// What one pull may bring, and how long working on it may take.
#[derive(Clone, Copy, Debug)]
pub struct PullSettings {
    /// Messages; in the log each is a batch of events.
    pub max_messages: usize,
    /// Bytes. Must be more than the largest message.
    pub max_bytes: usize,
    /// How long to wait for more before settling for less. What an event waits for at most on an idle system.
    pub expires: Duration,
    /// After this the broker gives a message to another process. Must be longer than storing a pull may take.
    pub ack_wait: Duration,
    /// How often a message is delivered before the broker gives up on it, which it then tells; `None`: for ever.
    pub max_deliveries: Option<u32>,
}

/// A durable consumer that all processes of a service share.
#[derive(Clone, Debug)]
pub struct Consumer {
    broker: Broker,
    consumer: PullConsumer,
    settings: PullSettings,
}

/// A message in hand, and the duty to settle it.
#[derive(Debug)]
pub struct Delivery {
    message: Message,
    /// Its sequence in the stream.
    pub stream_seq: u64,
    /// How often it has been delivered, this time included.
    pub attempt: u64,
}

impl Consumer {
    /// Joins the workers, who take events from the log.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn of_events(broker: &Broker, settings: PullSettings) -> Result<Self, MessagingError> {
        Self::join(broker, subjects::EVENTS_STREAM, subjects::WORKERS, settings).await
    }

    /// Joins the workers who look after messages that the broker has given up on.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn of_exhausted(broker: &Broker, settings: PullSettings) -> Result<Self, MessagingError> {
        Self::join(broker, subjects::EXHAUSTED_STREAM, subjects::UNDERTAKERS, settings).await
    }

    /// Joins the replicas of auth, who take security events into the audit log.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn of_audit(broker: &Broker, settings: PullSettings) -> Result<Self, MessagingError> {
        Self::join(broker, subjects::AUDIT_STREAM, subjects::AUDITORS, settings).await
    }

    /// Joins the workers, who are told here that there are jobs.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn of_jobs(broker: &Broker, settings: PullSettings) -> Result<Self, MessagingError> {
        Self::join(broker, subjects::JOBS_STREAM, subjects::JOB_RUNNERS, settings).await
    }

    /// Creates the consumer if this is the first to join.
    async fn join(
        broker: &Broker,
        stream: &str,
        name: &str,
        settings: PullSettings,
    ) -> Result<Self, MessagingError> {
        let stream = broker.jetstream.get_stream(stream).await.map_err(MessagingError::unavailable)?;
        let config = pull::Config {
            durable_name: Some(name.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: settings.ack_wait,
            max_deliver: settings.max_deliveries.map_or(-1, i64::from),
            // Reaching it stops delivery silently, so it is out of reach of any number of processes.
            max_ack_pending: 50_000,
            ..pull::Config::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(MessagingError::unavailable)?;
        Ok(Self { broker: broker.clone(), consumer, settings })
    }

    /// The next messages; none when none came in time.
    ///
    /// # Errors
    /// When the broker is away or the consumer gone. Messages that came before the error are returned instead.
    pub async fn pull(&self) -> Result<Vec<Delivery>, MessagingError> {
        let mut arriving = self
            .consumer
            .batch()
            .max_messages(self.settings.max_messages)
            .max_bytes(self.settings.max_bytes)
            .expires(self.settings.expires)
            .messages()
            .await
            .map_err(MessagingError::unavailable)?;
        let mut deliveries = Vec::new();
        while let Some(arrived) = arriving.next().await {
            match arrived {
                Ok(message) => deliveries.push(Delivery::of(message)?),
                Err(error) if deliveries.is_empty() => return Err(MessagingError::unavailable(error)),
                // The next message has no room in this pull.
                Err(error) if error.to_string().contains(PULL_IS_FULL) => break,
                Err(error) => {
                    tracing::warn!(%error, "a pull ended early");
                    break;
                }
            }
        }
        if deliveries.is_empty() {
            // The client tells a pull that nobody heard from one that brought nothing by no other sign.
            self.broker.check_connected()?;
        }
        Ok(deliveries)
    }
}

/// What is in a stream and not stored, whether somebody has it in hand or nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// How many messages.
    pub messages: u64,
    /// How long the oldest has been there; zero when there is none.
    pub oldest: Duration,
}

/// Asks the broker what is not stored yet. Our streams of work keep exactly that: a message leaves when it is settled.
///
/// # Errors
/// When the broker is away.
pub async fn backlog(broker: &Broker, stream: &str) -> Result<Backlog, MessagingError> {
    let stream = broker.jetstream.get_stream(stream).await.map_err(MessagingError::unavailable)?;
    let state = &stream.cached_info().state;
    let oldest = match state.messages {
        0 => Duration::ZERO,
        _ => since(state.first_timestamp.unix_timestamp_nanos()),
    };
    Ok(Backlog { messages: state.messages, oldest })
}

/// The time since an instant that the broker gives in nanoseconds since 1970.
fn since(nanos: i128) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let elapsed = now.saturating_sub(u128::try_from(nanos).unwrap_or_default());
    Duration::from_nanos(u64::try_from(elapsed).unwrap_or(u64::MAX))
}

impl Delivery {
    fn of(message: Message) -> Result<Self, MessagingError> {
        let info = message.info().map_err(MessagingError::unavailable)?;
        let (stream_seq, attempt) = (info.stream_sequence, u64::try_from(info.delivered).unwrap_or(1));
        Ok(Self { stream_seq, attempt, message })
    }

    /// Its content.
    #[must_use]
    pub fn payload(&self) -> &Bytes {
        &self.message.payload
    }

    /// The subject it was published to.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.message.subject
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// Its headers, if it has any.
    pub(crate) fn header_map(&self) -> Option<&async_nats::HeaderMap> {
        self.message.headers.as_ref()
    }

    /// All values of a header.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.message.headers.as_ref();
        headers
            .into_iter()
            .flat_map(move |headers| headers.get_all(name))
            .map(async_nats::HeaderValue::as_str)
    }

    /// Takes the message out of the stream. Only once what it holds is stored or in the dead letters.
    ///
    /// A lost acknowledgement means one redelivery and not one new row.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn settle(&self) -> Result<(), MessagingError> {
        self.message.ack().await.map_err(MessagingError::unavailable)
    }

    /// Gives the message back, to come again after `delay`.
    ///
    /// # Errors
    /// When the broker is away; it then comes again after the consumer's `ack_wait`.
    pub async fn give_back(&self, delay: Duration) -> Result<(), MessagingError> {
        self.message.ack_with(AckKind::Nak(Some(delay))).await.map_err(MessagingError::unavailable)
    }

    /// Asks for more time.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn extend(&self) -> Result<(), MessagingError> {
        self.message.ack_with(AckKind::Progress).await.map_err(MessagingError::unavailable)
    }
}
