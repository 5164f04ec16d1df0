//! HTTP/2 as hyper reads it, for the routes of actix-web.
//!
//! actix-web reads it, too, but lets nobody bound what a client may send: how many requests at once, and how large a head
//! may become. A thousand references to one entry of the compression table (RFC 7541) are a thousand bytes on the wire and
//! megabytes when they are read.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::{Payload, Request, Response};
use actix_service::Service;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::PayloadError;
use actix_web::http::header::{HeaderName as ActixName, HeaderValue as ActixValue};
use actix_web::http::{Method as ActixMethod, Uri as ActixUri, Version as ActixVersion};
use futures_util::stream;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use millrace_http::serve::KEEP_ALIVE;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::encrypted::Patience;

/// Requests of one connection that are answered at the same time; as many as RFC 9113 would have at least, and some.
const MAX_STREAMS: u32 = 128;
/// How large a head may be. More than [`crate::screen`] lets through, which tells the reason in words; beyond it a client
/// gets a bare 431.
const MAX_HEAD_BYTES: u32 = 64 * 1024;
/// How many bytes of an answer wait for a client to take them.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// How much of the bodies of all requests of a connection may be on its way here.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How much of one body.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Answers the requests of a connection: until it is idle for too long, or `shutdown`.
pub(super) async fn serve<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    peer: Option<SocketAddr>,
    app: Rc<S>,
    patience: Patience,
    shutdown: CancellationToken,
) where
    S: Service<Request> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let activity = Rc::new(Activity::new(patience.client));
    let answer = |request: hyper::Request<Incoming>| {
        let in_hand = InHand::new(Rc::clone(&activity));
        let head_alone = request.method() == Method::HEAD;
        let request = incoming(request, peer);
        let app = Rc::clone(&app);
        async move {
            let response = match request {
                Some(request) => match app.call(request).await {
                    Ok(response) => response.into().map_into_boxed_body(),
                    Err(error) => error.into(),
                },
                None => Response::bad_request().set_body(BoxBody::new(())),
            };
            Ok::<_, Infallible>(outgoing(response, head_alone, in_hand))
        }
    };
    let connection = http2::Builder::new(ThisThread)
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        // A client that is gone without a word is found out while a request of it is in hand.
        .keep_alive_interval(KEEP_ALIVE)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return log(ended),
        () = shutdown.cancelled() => {}
        () = activity.has_ceased() => {}
    }
    connection.as_mut().graceful_shutdown();
    // Beyond that the client gets what it has got.
    if let Ok(ended) = timeout(patience.grace, connection).await {
        log(ended);
    }
}

/// What strangers do to their own connections is theirs.
fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection with HTTP/2 ended");
    }
}

/// A request in the terms of actix; `None` if it has no such terms, which two readers of one grammar do not disagree on.
fn incoming(request: hyper::Request<Incoming>, peer: Option<SocketAddr>) -> Option<Request> {
    let (parts, body) = request.into_parts();
    let mut request = Request::with_payload(payload(body));
    let head = request.head_mut();
    head.uri = ActixUri::try_from(parts.uri.to_string()).ok()?;
    head.method = ActixMethod::from_bytes(parts.method.as_str().as_bytes()).ok()?;
    head.version = ActixVersion::HTTP_2;
    head.peer_addr = peer;
    for (name, value) in &parts.headers {
        let name = ActixName::from_bytes(name.as_str().as_bytes()).ok()?;
        head.headers.append(name, ActixValue::from_bytes(value.as_bytes()).ok()?);
    }
    Some(request)
}

fn payload(mut body: Incoming) -> Payload {
    if body.is_end_stream() {
        return Payload::None;
    }
    let chunks = stream::poll_fn(move |context| {
        loop {
            match ready!(Pin::new(&mut body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    let broken = PayloadError::Incomplete(Some(io::Error::other(error)));
                    return Poll::Ready(Some(Err(broken)));
                }
                // Anything else is a trailer, which actix does not know.
                Some(Ok(frame)) => {
                    if let Ok(chunk) = frame.into_data() {
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                }
            }
        }
    });
    Payload::Stream { payload: Box::pin(chunks) }
}

/// An answer in the terms of hyper, which leaves out what is of HTTP/1 alone, and adds the date.
fn outgoing(response: Response<BoxBody>, head_alone: bool, in_hand: InHand) -> hyper::Response<Answer> {
    let (response, body) = response.into_parts();
    let size = body.size();
    let has_body = !(head_alone || size.is_eof());
    let mut answer = hyper::Response::new(Answer { body: has_body.then_some(body), size, _in_hand: in_hand });
    // Both sides know the same codes, from 100 to 999.
    *answer.status_mut() =
        StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = answer.headers_mut();
    for (name, value) in response.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes())) {
            headers.append(name, value);
        }
    }
    match size {
        BodySize::Sized(length) => drop(headers.insert(CONTENT_LENGTH, length.into())),
        BodySize::None | BodySize::Stream => drop(headers.remove(CONTENT_LENGTH)),
    }
    answer
}

/// The body of an answer.
struct Answer {
    body: Option<BoxBody>,
    size: BodySize,
    _in_hand: InHand,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_next(context);
        frame.map_ok(Frame::data).map_err(|error| io::Error::other(error.to_string()))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, self.size) {
            (Some(_), BodySize::Sized(length)) => SizeHint::with_exact(length),
            (Some(_), _) => SizeHint::default(),
            (None, _) => SizeHint::with_exact(0),
        }
    }
}

/// Whether anything happens on a connection.
struct Activity {
    requests_in_hand: Cell<u32>,
    /// When the last one ended, or the connection began.
    since: Cell<Instant>,
    /// How long it may be idle.
    patience: Cell<Duration>,
}

impl Activity {
    /// Of a connection whose first request may take so long to come.
    fn new(patience: Duration) -> Self {
        Self {
            requests_in_hand: Cell::default(),
            since: Cell::new(Instant::now()),
            patience: Cell::new(patience),
        }
    }

    /// Waits until nothing has happened for too long.
    async fn has_ceased(&self) {
        loop {
            let now = Instant::now();
            let since = if self.requests_in_hand.get() > 0 { now } else { self.since.get() };
            let until = since + self.patience.get();
            if until <= now {
                return;
            }
            sleep_until(until).await;
        }
    }
}

/// A request that is not answered to its end.
struct InHand(Rc<Activity>);

impl InHand {
    fn new(activity: Rc<Activity>) -> Self {
        activity.requests_in_hand.update(|requests| requests + 1);
        activity.patience.set(KEEP_ALIVE);
        Self(activity)
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.requests_in_hand.update(|requests| requests.saturating_sub(1));
        self.0.since.set(Instant::now());
    }
}

/// Runs what hyper has to run beside a connection where the routes are, which belong to one thread.
#[derive(Clone, Copy)]
struct ThisThread;

impl<F: Future + 'static> Executor<F> for ThisThread {
    fn execute(&self, future: F) {
        actix_web::rt::spawn(async { drop(future.await) });
    }
}
