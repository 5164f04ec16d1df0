//! A request's body on its way to a service.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::Version;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::{HttpRequest, dev, web};
use bytes::BytesMut;
use futures_util::Stream;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::errors::ProxyError;

/// The body, chunk by chunk: the next one is taken from the client when the service has room for it.
pub(super) struct Upload {
    payload: dev::Payload,
    announced: Option<u64>,
    passed: u64,
    limit: u64,
    progress: Rc<Progress>,
}

/// What is wrong with a client's body.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UploadError {
    /// It has more bytes than the limit.
    #[error("the body has more than {0} bytes")]
    TooLarge(u64),
    /// It ended early, or its chunks are not valid.
    #[error("the body ended early or is not valid: {0}")]
    Broken(Arc<PayloadError>),
}

/// How many bytes a second a client sends at least, once its patience is used up. Lines are faster; who sends less
/// holds a connection on purpose.
const MIN_RATE: u64 = 1024;

/// Bodies of at most so many bytes are sent in one piece, where that is possible.
const SMALL: u64 = 16 * 1024;

/// How long each side is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) service: Duration,
    pub(super) client: Duration,
}

/// How a body is getting on, for whoever waits for the answer.
#[derive(Debug)]
pub(super) struct Progress {
    stage: Cell<Stage>,
    moved: Cell<Instant>,
    /// How long the client was waited for, before the present wait.
    waited: Cell<Duration>,
    passed: Cell<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The service is to take the next chunk.
    Passing,
    /// The client is to send the next chunk, since then.
    Waiting(Instant),
    Done,
    Failed,
}

impl Upload {
    /// The body of a request, of at most `limit` bytes.
    pub(super) fn new(request: &HttpRequest, payload: web::Payload, limit: u64) -> Result<Self, UploadError> {
        let headers = request.headers();
        let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(UploadError::TooLarge(limit));
        }
        // In HTTP/1 a request without these two headers has no body. actix makes one of what follows a request for
        // another protocol, which is refused by leaving it out.
        let framed = announced.is_some()
            || headers.contains_key(TRANSFER_ENCODING)
            || request.version() > Version::HTTP_11;
        match payload.into_inner() {
            dev::Payload::None => Ok(Self { announced, ..Self::none() }),
            payload if framed => {
                Ok(Self { payload, announced, passed: 0, limit, progress: Progress::of(announced) })
            }
            _ => Ok(Self::none()),
        }
    }

    /// No body at all.
    pub(super) fn none() -> Self {
        Self {
            payload: dev::Payload::None,
            announced: None,
            passed: 0,
            limit: 0,
            progress: Progress::of(Some(0)),
        }
    }

    /// A body that is all there.
    pub(super) fn of(body: Bytes) -> Self {
        if body.is_empty() {
            return Self::none();
        }
        let announced = Some(body.len() as u64);
        let progress = Progress::of(announced);
        Self { payload: body.into(), announced, passed: 0, limit: u64::MAX, progress }
    }

    /// Whether it is known to be small.
    pub(super) fn is_small(&self) -> bool {
        self.is_none() || self.announced.is_some_and(|length| length <= SMALL)
    }

    /// Waits until all of it is there.
    pub(super) async fn whole(&mut self) -> Result<Bytes, UploadError> {
        let mut whole = BytesMut::new();
        while !self.is_end_stream() {
            let frame = poll_fn(|context| Pin::new(&mut *self).poll_frame(context)).await.transpose()?;
            let Some(Ok(chunk)) = frame.map(Frame::into_data) else { break };
            if whole.is_empty() && self.is_end_stream() {
                return Ok(chunk);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.payload, dev::Payload::None)
    }

    /// What the client said its length is.
    pub(super) fn announced(&self) -> Option<u64> {
        self.announced
    }

    pub(super) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    fn fail(&self, error: UploadError) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        self.progress.stage.set(Stage::Failed);
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.payload).poll_next(context);
        if polled.is_ready() {
            this.progress.stop_waiting();
        }
        match polled {
            Poll::Pending => {
                this.progress.wait();
                Poll::Pending
            }
            Poll::Ready(None) => {
                this.progress.stage.set(Stage::Done);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => this.fail(UploadError::Broken(Arc::new(error))),
            Poll::Ready(Some(Ok(chunk))) => {
                this.passed = this.passed.saturating_add(chunk.len() as u64);
                if this.passed > this.limit {
                    return this.fail(UploadError::TooLarge(this.limit));
                }
                this.progress.stage.set(if this.is_end_stream() { Stage::Done } else { Stage::Passing });
                this.progress.moved.set(Instant::now());
                this.progress.passed.set(this.passed);
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_none() || self.announced == Some(self.passed)
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_none() {
            return SizeHint::with_exact(0);
        }
        self.announced
            .map_or_else(SizeHint::default, |length| SizeHint::with_exact(length.saturating_sub(self.passed)))
    }
}

impl Progress {
    fn of(announced: Option<u64>) -> Rc<Self> {
        let stage = if announced == Some(0) { Stage::Done } else { Stage::Passing };
        Rc::new(Self {
            stage: Cell::new(stage),
            moved: Cell::new(Instant::now()),
            waited: Cell::default(),
            passed: Cell::default(),
        })
    }

    /// Whether all of it has been passed on.
    pub(super) fn is_done(&self) -> bool {
        self.stage.get() == Stage::Done
    }

    /// Whether it came to grief on the client's side.
    pub(super) fn has_failed(&self) -> bool {
        self.stage.get() == Stage::Failed
    }

    fn wait(&self) {
        if !matches!(self.stage.get(), Stage::Waiting(_)) {
            self.stage.set(Stage::Waiting(Instant::now()));
        }
    }

    fn stop_waiting(&self) {
        if let Stage::Waiting(since) = self.stage.get() {
            self.waited.set(self.waited.get() + since.elapsed());
            self.stage.set(Stage::Passing);
        }
    }

    /// When the client will have been waited for too long, if nothing more comes: a body may take `patience`, and as
    /// long as it takes at [`MIN_RATE`]. Time in which the service takes nothing is not the client's.
    fn deadline(&self, patience: Duration) -> Option<Instant> {
        let Stage::Waiting(since) = self.stage.get() else { return None };
        let may_take = patience + Duration::from_secs(self.passed.get() / MIN_RATE);
        Some(since + may_take.saturating_sub(self.waited.get()))
    }

    /// Waits for an answer for as long as something moves, and then as long as a service may be silent; but not for a
    /// client that is too slow. An upload over a slow line takes its time, and no service can answer it before it is
    /// there.
    pub(super) async fn wait_for<T>(
        &self,
        answer: impl Future<Output = T>,
        patience: Patience,
    ) -> Result<T, ProxyError> {
        tokio::pin!(answer);
        let look_again = sleep(patience.service.min(patience.client));
        tokio::pin!(look_again);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = &mut look_again => {}
            }
            let now = Instant::now();
            let silent = self.moved.get() + patience.service;
            let slow = self.deadline(patience.client);
            if slow.is_some_and(|deadline| deadline <= now) {
                return Err(ProxyError::UploadStalled);
            }
            if slow.is_none() && silent <= now {
                return Err(ProxyError::Silent(patience.service));
            }
            let next = slow.unwrap_or(silent).min(now + patience.client).min(now + patience.service);
            look_again.as_mut().reset(next);
        }
    }
}
