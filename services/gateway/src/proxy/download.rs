//! An answer's body on its way to the client.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use hyper::body::{Body, Incoming};
use millrace_http::request_id::RequestId;
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::Proxy;
use super::connections::Connection;
use super::upload::Progress;
use crate::errors::note_failure;
use crate::upstreams::circuit::Place;

/// The body, chunk by chunk: the next one is taken from the service when the client has room for it.
#[derive(Debug)]
pub struct Download {
    proxy: Rc<Proxy>,
    body: Incoming,
    size: BodySize,
    hold: Rc<Hold>,
    /// Lets go of the service when the client does not take what it asked for.
    watch: Option<AbortOnDropHandle<()>>,
    /// While the service is waited for.
    silence: Option<Pin<Box<Sleep>>>,
    request_id: Option<RequestId>,
}

/// What an answer keeps busy.
#[derive(Debug)]
struct Hold {
    /// Until the last byte. A connection that is dropped before that is closed.
    service: RefCell<Option<(Connection, Place)>>,
    /// Since when the client has had something to take.
    offered: Cell<Option<Instant>>,
}

/// Why an answer was cut short.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The service's connection broke.
    #[error("the connection was closed in the middle of the answer")]
    Broken(#[source] hyper::Error),
    /// The service stopped sending.
    #[error("nothing more of the answer within {0:?}")]
    Silent(Duration),
    /// The client stopped reading.
    #[error("the client took nothing more of the answer within {0:?}")]
    NotTaken(Duration),
}

impl Download {
    pub(super) fn new(
        proxy: Rc<Proxy>,
        body: Incoming,
        size: BodySize,
        connection: Connection,
        place: Place,
    ) -> Self {
        let hold = Hold { service: RefCell::new(Some((connection, place))), offered: Cell::default() };
        let request_id = RequestId::current();
        let mut download =
            Self { proxy, body, size, hold: Rc::new(hold), watch: None, silence: None, request_id };
        download.end_if_over();
        download
    }

    fn end_if_over(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if let Some((connection, _place)) = self.hold.service.take() {
            self.proxy.pool.put_back(connection);
        }
        self.watch = None;
    }

    /// Remembers that it is the client's turn.
    fn offer(&mut self) {
        self.hold.offered.set(Some(Instant::now()));
        if self.watch.is_none() && self.hold.service.borrow().is_some() {
            let watch = watch(Rc::clone(&self.hold), self.proxy.state.upstream_timeout);
            self.watch = Some(AbortOnDropHandle::new(actix_web::rt::spawn(watch)));
        }
    }

    /// Counts and logs, and closes the connection. The error makes actix close the client's.
    fn cut(&mut self, reason: &'static str, error: DownloadError) -> DownloadError {
        let service = self.hold.service.take();
        let upload = service.as_ref().and_then(|(connection, _)| connection.upload());
        if upload.is_some_and(Progress::has_failed) {
            // It was the client that went away, in the middle of its own body.
            return error;
        }
        let name = self.proxy.upstream.name();
        note_failure(self.proxy.upstream, reason);
        let request_id = self.request_id.as_ref().map(RequestId::as_str);
        tracing::warn!(
            upstream = name,
            reason,
            request_id,
            error = &error as &dyn Error,
            "cut an answer of {name} short"
        );
        error
    }
}

impl MessageBody for Download {
    type Error = DownloadError;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, DownloadError>>> {
        let this = self.get_mut();
        this.hold.offered.set(None);
        loop {
            let patience = this.proxy.state.upstream_timeout;
            if !this.body.is_end_stream() && this.hold.service.borrow().is_none() {
                return Poll::Ready(Some(Err(DownloadError::NotTaken(patience))));
            }
            match Pin::new(&mut this.body).poll_frame(context) {
                Poll::Ready(None) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(this.cut("broken", DownloadError::Broken(error)))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.silence = None;
                    // Anything else is a trailer, which actix cannot send. An empty chunk would end the answer.
                    if let Some(chunk) = frame.into_data().ok().filter(|chunk| !chunk.is_empty()) {
                        this.end_if_over();
                        this.offer();
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Poll::Pending => {
                    let silence = this.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(silence.as_mut().poll(context));
                    return Poll::Ready(Some(Err(this.cut("timeout", DownloadError::Silent(patience)))));
                }
            }
        }
    }
}

/// Lets go of the service once a client has taken nothing for `patience`: it would keep a connection busy, and a place
/// among the requests in hand, for as long as it likes.
async fn watch(hold: Rc<Hold>, patience: Duration) {
    loop {
        let now = Instant::now();
        let until = hold.offered.get().unwrap_or(now) + patience;
        if until <= now {
            tracing::info!("a client takes nothing of its answer, letting go of the service");
            drop(hold.service.take());
            return;
        }
        sleep_until(until).await;
    }
}
