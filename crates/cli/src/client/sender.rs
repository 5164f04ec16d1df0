use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::{Answer, BaseUrl, Batch, Client, ClientError, Compress, Key, compress};
use crate::api::{EventError, Problem, Verdict};

/// Delivers batches of events.
///
/// A request that fails for want of a connection, with 408, 425, 429 or 5xx is repeated until it
/// succeeds or has failed for too long. One that is too large (413), or that the server cannot read
/// as a whole (400), is halved until the events to blame are alone; those are rejected. Repeating is
/// safe because every event has an id: what had arrived before the connection broke counts as a
/// duplicate.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    gzip: bool,
    retry_for: Duration,
    stop: CancellationToken,
    trouble: Mutex<Option<String>>,
}

/// How a [`Sender`] sends.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// The server.
    pub url: BaseUrl,
    /// A key with the scope `ingest`.
    pub key: Key,
    /// Whether bodies are compressed.
    pub compress: Compress,
    /// How long a request may go on failing.
    pub retry_for: Duration,
    /// Whether a batch counts as delivered only once it can be queried:
    /// [`Client::waiting_until_stored`].
    pub wait: bool,
}

/// Why events could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SendError {
    /// The server did not take them for too long.
    #[error("the server has not taken events for {} s; last: {last}", .retry_for.as_secs_f64())]
    GaveUp {
        /// How long it was tried.
        retry_for: Duration,
        /// What the last attempt came to.
        last: String,
    },
    /// The server does not know the key.
    #[error("the server does not accept the key (401): {0}")]
    Unauthorised(String),
    /// The key may not send events.
    #[error("the key may not send events (403): {0}")]
    Forbidden(String),
    /// An answer that repeating would not change.
    #[error("the server refuses to take events ({status}): {reason}")]
    Refused {
        /// Its status code.
        status: u16,
        /// The reason it gave.
        reason: String,
    },
    /// The server accounted for another number of events than it was sent.
    #[error("the server gave a verdict on {judged} events, but was sent {sent}")]
    Miscounted {
        /// `accepted + duplicates + rejected`.
        judged: u64,
        /// Events of the request.
        sent: usize,
    },
    /// The sender was told to stop while it waited to try again.
    #[error("interrupted")]
    Interrupted,
}

/// What an answer means for the request.
enum Reply {
    Judged(Verdict),
    /// The body as a whole is at fault: smaller ones show which event it is.
    Split {
        code: &'static str,
        reason: String,
    },
    Later {
        asked: Option<Duration>,
        why: String,
    },
}

impl Sender {
    /// A sender that stops trying again once `stop` is cancelled.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(config: SenderConfig, stop: CancellationToken) -> Result<Self, ClientError> {
        let client = Client::new(&config.url, config.key)?;
        Ok(Self {
            gzip: config.compress.applies_to(&config.url),
            client: if config.wait { client.waiting_until_stored() } else { client },
            retry_for: config.retry_for,
            stop,
            trouble: Mutex::new(None),
        })
    }

    /// The token that ends this sender.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// What the server said when it last failed, until it succeeds again.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Delivers a batch and adds the server's verdict to `tally`. On an error the tally has what
    /// was judged before.
    ///
    /// # Errors
    /// When the server will not take the batch, or not in time.
    pub async fn send(&self, batch: &Batch, tally: &mut Verdict) -> Result<(), SendError> {
        let mut ranges: Vec<Range<usize>> = Vec::new();
        ranges.extend((!batch.is_empty()).then_some(0..batch.len()));
        while let Some(range) = ranges.pop() {
            match self.offer(batch.body(range.clone())).await? {
                Ok(verdict) => absorb(tally, verdict, &range)?,
                Err((code, message)) if range.len() == 1 => {
                    tally.rejected += 1;
                    tally.errors.push(EventError { index: range.start, code: code.to_owned(), message });
                }
                Err(_) => {
                    let middle = range.start + range.len() / 2;
                    ranges.push(middle..range.end);
                    ranges.push(range.start..middle);
                }
            }
        }
        Ok(())
    }

    /// Posts a body until there is an answer to it: a verdict, or what is wrong with it as a whole.
    async fn offer(&self, body: Vec<u8>) -> Result<Result<Verdict, (&'static str, String)>, SendError> {
        let (body, encoding) = self.encode(body).await;
        let mut backoff = Backoff::new(self.retry_for);
        loop {
            let reply = match self.client.post_events(body.clone(), encoding).await {
                Ok(answer) => read(answer)?,
                Err(error) => Reply::Later { asked: None, why: super::causes(&error) },
            };
            let (asked, why) = match reply {
                Reply::Judged(verdict) => {
                    self.set_trouble(None);
                    return Ok(Ok(verdict));
                }
                Reply::Split { code, reason } => return Ok(Err((code, reason))),
                Reply::Later { asked, why } => (asked, why),
            };
            self.set_trouble(Some(why.clone()));
            let Some(pause) = backoff.pause(asked) else {
                return Err(SendError::GaveUp { retry_for: self.retry_for, last: why });
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Err(SendError::Interrupted),
            }
        }
    }

    /// Compressing megabytes takes long enough to be worth a thread of its own.
    async fn encode(&self, body: Vec<u8>) -> (Bytes, Option<&'static str>) {
        let body = Bytes::from(body);
        if !self.gzip {
            return (body, None);
        }
        let plain = body.clone();
        match tokio::task::spawn_blocking(move || compress::gzip(&plain)).await {
            Ok(Ok(zipped)) => (zipped, Some("gzip")),
            _ => (body, None),
        }
    }
}

fn read(answer: Answer) -> Result<Reply, SendError> {
    let Answer { status, retry_after, body } = answer;
    if (status.is_success() || status == StatusCode::UNPROCESSABLE_ENTITY)
        && let Ok(verdict) = serde_json::from_slice(&body)
    {
        return Ok(Reply::Judged(verdict));
    }
    let reason = Problem::reason(&body);
    match status {
        StatusCode::UNAUTHORIZED => Err(SendError::Unauthorised(reason)),
        StatusCode::FORBIDDEN => Err(SendError::Forbidden(reason)),
        StatusCode::PAYLOAD_TOO_LARGE => Ok(Reply::Split { code: "event_too_large", reason }),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            Ok(Reply::Split { code: "malformed", reason })
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Ok(Reply::Later { asked: retry_after, why: format!("{status}: {reason}") })
        }
        _ if status.is_server_error() => {
            Ok(Reply::Later { asked: retry_after, why: format!("{status}: {reason}") })
        }
        _ => Err(SendError::Refused { status: status.as_u16(), reason }),
    }
}

fn absorb(tally: &mut Verdict, verdict: Verdict, range: &Range<usize>) -> Result<(), SendError> {
    let judged = verdict.accepted + verdict.duplicates + verdict.rejected;
    if u64::try_from(range.len()) != Ok(judged) {
        return Err(SendError::Miscounted { judged, sent: range.len() });
    }
    tally.accepted += verdict.accepted;
    tally.duplicates += verdict.duplicates;
    tally.rejected += verdict.rejected;
    let errors = verdict.errors.into_iter();
    tally.errors.extend(errors.map(|error| EventError { index: range.start + error.index, ..error }));
    Ok(())
}
