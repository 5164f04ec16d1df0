//! An answer's body on its way to the client.

use std::error::Error;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use hyper::body::{Body, Incoming};
use millrace_http::request_id::RequestId;
use tokio::time::{Sleep, sleep};

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
    /// Until the last byte. Dropped before that, it is closed.
    connection: Option<Connection>,
    #[expect(dead_code, reason = "held for its Drop: the request is in hand until the last byte")]
    place: Place,
    /// While the service is waited for.
    silence: Option<Pin<Box<Sleep>>>,
    request_id: Option<RequestId>,
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
}

impl Download {
    pub(super) fn new(
        proxy: Rc<Proxy>,
        body: Incoming,
        size: BodySize,
        connection: Connection,
        place: Place,
    ) -> Self {
        let request_id = RequestId::current();
        let mut download =
            Self { proxy, body, size, connection: Some(connection), place, silence: None, request_id };
        if download.body.is_end_stream() {
            download.end();
        }
        download
    }

    fn end(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.proxy.pool.put_back(connection);
        }
    }

    /// Counts and logs, and closes the connection. The error makes actix close the client's.
    fn cut(&mut self, reason: &'static str, error: DownloadError) -> DownloadError {
        let connection = self.connection.take();
        if connection.as_ref().and_then(Connection::upload).is_some_and(Progress::has_failed) {
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
        loop {
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
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
                Poll::Pending => {
                    let patience = this.proxy.state.upstream_timeout;
                    let silence = this.silence.get_or_insert_with(|| Box::pin(sleep(patience)));
                    ready!(silence.as_mut().poll(context));
                    return Poll::Ready(Some(Err(this.cut("timeout", DownloadError::Silent(patience)))));
                }
            }
        }
    }
}
