//! The connections of one worker to one service.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;

use super::upload::{Progress, Upload};
use crate::upstreams::origin::Origin;

/// How long an idle connection is kept. Shorter than the services keep theirs ([`millrace_http::serve::KEEP_ALIVE`]),
/// so that it is this side that closes and no request meets a closing connection.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How many idle connections are kept.
const MAX_IDLE: usize = 128;
/// How many bytes a connection buffers at most each way; also the most an answer's head may have.
const BUFFER: usize = 64 * 1024;

const _: () = assert!(KEEP_ALIVE.as_secs() < millrace_http::serve::KEEP_ALIVE.as_secs());

/// A connection that is there, idle or not.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Upload>,
    /// The value of `Host` there.
    authority: HeaderValue,
    #[expect(
        dead_code,
        reason = "moves the bytes, and held for its Drop: a connection that is given up is closed at once"
    )]
    driver: AbortOnDropHandle<()>,
    /// How the last request's body is getting on.
    upload: Option<Rc<Progress>>,
}

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

impl Connection {
    /// Whether it has carried a request before.
    pub(super) fn was_kept(&self) -> bool {
        self.upload.is_some()
    }

    /// Whether it is there and takes no request yet.
    fn is_busy(&self) -> bool {
        !self.sender.is_ready() && !self.sender.is_closed()
    }

    /// How the body of its request is getting on.
    pub(super) fn upload(&self) -> Option<&Progress> {
        self.upload.as_deref()
    }

    /// Sends a request. The answer may come before all of the body is sent.
    pub(super) fn send(
        &mut self,
        mut request: Request<Upload>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Upload>>>> + use<> {
        self.upload = Some(request.body().progress());
        request.headers_mut().insert(HOST, self.authority.clone());
        self.sender.try_send_request(request)
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
        // One that was just put back may not have noticed yet that its answer is over, and will in a moment.
        while let Some(place) = idle.iter().rposition(|idle| !idle.connection.is_busy()) {
            let Idle { connection, since } = idle.remove(place);
            if since.elapsed() > KEEP_ALIVE {
                // Those that were used earlier have been idle for longer.
                idle.drain(..place);
                return None;
            }
            if connection.sender.is_ready() {
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
            // A head and a small body are copied into one piece for less than it costs the system to take two.
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        // What goes wrong on the way is told to whoever waits for the answer.
        let driver = actix_web::rt::spawn(async move { drop(driver.await) });
        Ok(Connection { sender, authority, driver: AbortOnDropHandle::new(driver), upload: None })
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
