//! A socket from its opening to its end.

use std::future::pending;
use std::time::Duration;

use actix_web::web::Bytes;
use actix_ws::{Message, MessageStream, ProtocolError};
use chrono::{DateTime, Utc};
use millrace_http::problem::Code;
use millrace_messaging::revocations::Revoked;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::access::{Access, Shown, Viewer};
use super::frame;
use super::hub::Seat;
use super::outbox::{NotTaken, Outbox};

/// How long a client may take to answer a farewell.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long until auth is asked again after it could not answer.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What a socket is for.
pub(crate) trait Feed: 'static {
    /// What all sockets of a project are told.
    type Item: Clone + Send + 'static;
    /// Its name in metrics.
    const KIND: &'static str;

    /// What the client is told first; whether its seat stands.
    fn greeting(&self, stands: bool) -> impl Future<Output = serde_json::Value>;

    /// What this client is told of an item, as a frame; `None`: nothing.
    fn frame(&self, item: &Self::Item, viewer: &Viewer) -> Option<Bytes>;

    /// What the client says, and what it is answered.
    ///
    /// # Errors
    /// Why that makes no sense.
    fn hear(&mut self, said: &str) -> Result<serde_json::Value, String>;
}

/// An open socket.
pub(crate) struct Socket<F: Feed> {
    pub(super) seat: Seat<F::Item>,
    pub(super) messages: MessageStream,
    pub(super) outbox: Outbox,
    pub(super) feed: F,
    pub(super) access: Access,
    pub(super) shown: Shown,
    pub(super) viewer: Viewer,
    pub(super) revoked: broadcast::Receiver<Option<Revoked>>,
    pub(super) heartbeat: Duration,
    pub(super) shutdown: CancellationToken,
}

/// Why a socket ends, as the client is told: a code of RFC 6455, or one of ours from 4000 on.
#[derive(Debug)]
enum End {
    /// The client is gone, and nobody is there to be told.
    Gone,
    /// The client says that it ends here.
    Closed,
    /// The gateway stops. Another one, or the next, is there in a moment.
    Restart,
    /// The client does not read as fast as it is told.
    TooSlow,
    /// The client does not answer.
    Silent,
    /// The client says what makes no sense.
    Nonsense(String),
    /// It says something that is not text.
    NotText,
    /// It says too much at once.
    TooLarge,
    /// It does not speak the protocol.
    Protocol,
    /// Its credentials are not good any more.
    Revoked(String),
}

impl End {
    fn told(&self) -> Option<(u16, &str)> {
        Some(match self {
            Self::Gone => return None,
            Self::Closed => (1000, ""),
            Self::Protocol => (1002, "this is not the WebSocket protocol"),
            Self::NotText => (1003, "only text is understood"),
            Self::Nonsense(reason) => (1008, reason),
            Self::TooLarge => (1009, "a message may have 16 KiB"),
            Self::Restart => (1012, "the gateway is stopping: connect again"),
            Self::TooSlow => (1013, "too slow: this client does not read as fast as it is told"),
            Self::Revoked(reason) => (4401, reason),
            Self::Silent => (4408, "no answer to pings"),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::NotText => "not_text",
            Self::Nonsense(_) => "nonsense",
            Self::TooLarge => "too_large",
            Self::Restart => "restart",
            Self::TooSlow => "too_slow",
            Self::Revoked(_) => "revoked",
            Self::Silent => "silent",
        }
    }
}

impl From<NotTaken> for End {
    fn from(reason: NotTaken) -> Self {
        match reason {
            NotTaken::TooSlow => Self::TooSlow,
            NotTaken::Gone => Self::Gone,
        }
    }
}

impl<F: Feed> Socket<F> {
    /// Tells the client what there is to tell, until one of the two ends it.
    pub(super) async fn attend(mut self) {
        let Err(end) = self.go_on().await;
        metrics::counter!("live_connections_ended_total", "kind" => F::KIND, "reason" => end.name())
            .increment(1);
        let Some((code, reason)) = end.told() else { return };
        self.outbox.part(frame::close(code, reason));
        // A connection that is closed while the client still sends may be reset, and the farewell lost.
        let answered = async {
            while let Some(Ok(message)) = self.messages.recv().await {
                if matches!(message, Message::Close(_)) {
                    break;
                }
            }
        };
        if !matches!(end, End::Closed) {
            let _ = timeout(FAREWELL, answered).await;
        }
    }

    async fn go_on(&mut self) -> Result<std::convert::Infallible, End> {
        // What the greeting promises from here on must be heard from here on.
        let greeting = async { self.feed.greeting(self.seat.stands().await).await };
        let mut greeting = tokio::select! {
            greeting = greeting => greeting,
            () = self.shutdown.cancelled() => return Err(End::Restart),
        };
        if let Some(greeting) = greeting.as_object_mut() {
            greeting.insert("project_id".to_owned(), json!(self.viewer.project));
            greeting.insert("heartbeat_seconds".to_owned(), json!(self.heartbeat.as_secs_f64()));
        }
        self.outbox.send(frame::text(&greeting.to_string())).await?;
        let mut heartbeat = interval(self.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        let mut ask_again = expiry(self.viewer.good_until);
        loop {
            tokio::select! {
                item = self.seat.next() => {
                    // Behind by more than is kept for it.
                    let item = item.map_err(|_lagged| End::TooSlow)?;
                    if let Some(frame) = self.feed.frame(&item, &self.viewer) {
                        self.outbox.send(frame).await?;
                    }
                }
                said = self.messages.recv() => {
                    heard = Instant::now();
                    self.answer(said).await?;
                }
                _ = heartbeat.tick() => {
                    if heard.elapsed() > self.heartbeat * 2 {
                        return Err(End::Silent);
                    }
                    self.outbox.send(frame::ping()).await?;
                }
                revoked = self.revoked.recv() => {
                    let revoked = revoked.unwrap_or(None);
                    if revoked.is_none() {
                        let missed = json!({"type": "missed"}).to_string();
                        self.outbox.send(frame::text(&missed)).await?;
                    }
                    if self.viewer.is_meant(revoked.as_ref()) {
                        ask_again = self.ask_again().await?;
                    }
                }
                () = due(ask_again) => ask_again = self.ask_again().await?,
                () = self.shutdown.cancelled() => return Err(End::Restart),
            }
        }
    }

    async fn answer(&mut self, said: Option<Result<Message, ProtocolError>>) -> Result<(), End> {
        let answer = match said {
            Some(Ok(Message::Text(said))) => {
                frame::text(&self.feed.hear(&said).map_err(End::Nonsense)?.to_string())
            }
            Some(Ok(Message::Ping(payload))) => frame::pong(&payload),
            Some(Ok(Message::Pong(_) | Message::Nop)) => return Ok(()),
            Some(Ok(Message::Close(_))) => return Err(End::Closed),
            Some(Ok(Message::Binary(_) | Message::Continuation(_))) => return Err(End::NotText),
            Some(Err(ProtocolError::Overflow)) => return Err(End::TooLarge),
            Some(Err(ProtocolError::Io(_))) | None => return Err(End::Gone),
            Some(Err(_)) => return Err(End::Protocol),
        };
        Ok(self.outbox.send(answer).await?)
    }

    /// Asks auth whether the viewer may still look, and answers when to ask again.
    async fn ask_again(&mut self) -> Result<Option<Instant>, End> {
        match self.access.admit(&self.shown, Some(self.viewer.project)).await {
            Ok(viewer) => {
                self.viewer = viewer;
                Ok(expiry(self.viewer.good_until))
            }
            Err(problem) if problem.code() == Code::Unavailable => Ok(Some(Instant::now() + ASK_AGAIN)),
            Err(problem) => Err(End::Revoked(problem.detail().to_owned())),
        }
    }
}

fn expiry(at: Option<DateTime<Utc>>) -> Option<Instant> {
    // A moment in the past is now.
    at.map(|at| Instant::now() + (at - Utc::now()).to_std().unwrap_or_default())
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => pending().await,
    }
}
