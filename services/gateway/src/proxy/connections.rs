//! The connections of one worker to one service.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::upload::{Progress, Upload};
use crate::upstreams::origin::{Origin, Stream};

/// How long an idle connection is kept. Shorter than the services keep theirs ([`millrace_http::serve::KEEP_ALIVE`]),
/// so that it is this side that closes and no request meets a closing connection.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How many idle connections are kept.
const MAX_IDLE: usize = 128;
/// How many bytes a connection buffers at most each way; also the most an answer's head may have.
const BUFFER: usize = 64 * 1024;

const _: () = assert!(KEEP_ALIVE.as_secs() < millrace_http::serve::KEEP_ALIVE.as_secs());

/// A connection that is there, idle or not. It is no task of its own: whoever waits for something from it moves its bytes
/// ([`Connection::drive`]), which saves waking one task by another several times a request. While nobody waits nothing
/// moves, so that a connection which has been idle must be looked at before it is used.
pub(super) struct Connection {
    sender: SendRequest<Upload>,
    /// The value of `Host` there.
    authority: HeaderValue,
    /// Moves the bytes, until the connection is closed.
    driver: Option<Driver>,
    /// How the last request's body is getting on.
    upload: Option<Rc<Progress>>,
}

type Driver = Pin<Box<http1::Connection<TokioIo<Stream>, Upload>>>;

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// The idle connections, the most recently used last.
#[derive(Debug)]
pub(super) struct Pool {
    origin: Origin,
    idle: RefCell<Vec<Idle>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("closed", &self.driver.is_none()).finish_non_exhaustive()
    }
}

impl Connection {
    /// Whether it has carried a request before.
    pub(super) fn was_kept(&self) -> bool {
        self.upload.is_some()
    }

    /// Moves bytes, as far as there are some. What went wrong is told to whoever waits for the answer or for its body.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if self.driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
            self.driver = None;
        }
    }

    /// Whether it takes a request. The service may have closed it while it was idle.
    fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.sender.is_ready()
    }

    /// How the body of its request is getting on.
    pub(super) fn upload(&self) -> Option<&Progress> {
        self.upload.as_deref()
    }

    /// Sends a request. The answer may come before all of the body is sent.
    pub(super) async fn send(
        &mut self,
        mut request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        self.upload = Some(request.body().progress());
        request.headers_mut().insert(HOST, self.authority.clone());
        let mut answer = pin!(self.sender.try_send_request(request));
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            self.drive(context);
            // It may have come just then, or never will.
            answer.as_mut().poll(context)
        })
        .await
    }
}

impl Pool {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, idle: RefCell::default() }
    }

    /// How many instances of the service there are besides the one that a connection is to; twice, because a request does
    /// not choose among them.
    pub(super) fn other_instances(&self) -> usize {
        2 * (self.origin.instances() - 1)
    }

    /// A kept connection, or a new one.
    pub(super) async fn take(&self) -> io::Result<Connection> {
        match self.take_idle() {
            Some(connection) => Ok(connection),
            None => self.connect().await,
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { mut connection, since }) = idle.pop() {
            if since.elapsed() > KEEP_ALIVE {
                // Those that were used earlier have been idle for longer.
                idle.clear();
                return None;
            }
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> io::Result<Connection> {
        let (stream, authority) = self.origin.connect().await?;
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        Ok(Connection { sender, authority, driver: Some(Box::pin(driver)), upload: None })
    }

    /// Keeps a connection whose answer has been read to its end. If the request has not been sent to its end, the
    /// service has made up its mind without the rest, and the connection is of no more use.
    pub(super) fn put_back(&self, connection: Connection) {
        if !connection.upload().is_some_and(Progress::is_done) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }
}
