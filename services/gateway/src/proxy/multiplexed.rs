//! The connection that small requests of one worker to a neighbour share ([`millrace_http::multiplex`]).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use bytes::BytesMut;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use millrace_http::cores;
use millrace_http::multiplex::frame::{self, LEAVING, NotAFrame};
use millrace_http::multiplex::{beside, outbox::Outbox};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{Mutex, oneshot};

mod connect;

use connect::connect;

/// How long requests have connections of their own once there was none to share.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// The way to a service that listens for such a connection, if it is a neighbour that does.
#[derive(Debug)]
pub(super) struct Multiplexed {
    socket: Option<PathBuf>,
    line: RefCell<Option<Rc<Line>>>,
    /// Held by who connects. The others wait for the same connection.
    connecting: Mutex<()>,
    /// Nobody was there.
    next_try: Cell<Option<Instant>>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// It is certain that nothing of the request was sent.
    Unsent,
    /// The connection ended before an answer.
    Gone,
}

/// A connection, and who waits for what on it.
#[derive(Debug, Default)]
pub(super) struct Line {
    outbox: Outbox,
    waiting: RefCell<HashMap<u32, oneshot::Sender<Bytes>>>,
    last_number: Cell<u32>,
    /// The service takes no more requests on it.
    is_over: Cell<bool>,
}

impl Multiplexed {
    /// A way without a connection yet, given where the service listens for HTTP/1.1.
    pub(super) fn new(socket: Option<&Path>) -> Self {
        let connecting = Mutex::default();
        Self { socket: socket.map(beside), line: RefCell::default(), connecting, next_try: Cell::default() }
    }

    /// The connection, if there is one or one comes about.
    pub(super) async fn line(&self) -> Option<Rc<Line>> {
        let socket = self.socket.as_deref()?;
        if let Some(line) = self.present() {
            return Some(line);
        }
        let _alone = self.connecting.lock().await;
        if let Some(line) = self.present() {
            return Some(line);
        }
        let now = Instant::now();
        if self.next_try.get().is_some_and(|next| now < next) {
            return None;
        }
        match connect(socket, cores::own()).await {
            Ok(stream) => Some(self.line.borrow_mut().insert(Line::start(stream)).clone()),
            Err(_it_is_over_http_then) => {
                self.next_try.set(Some(now + TRY_EVERY));
                None
            }
        }
    }

    fn present(&self) -> Option<Rc<Line>> {
        self.line.borrow().clone().filter(|line| !line.is_over.get())
    }
}

impl Line {
    fn start(stream: UnixStream) -> Rc<Self> {
        let (reader, writer) = stream.into_split();
        let line = Rc::<Self>::default();
        let writing = Rc::clone(&line);
        rt::spawn(async move {
            if let Err(error) = writing.outbox.write_to(writer).await {
                tracing::debug!(%error, "a shared connection takes nothing more");
            }
        });
        let reading = Rc::clone(&line);
        rt::spawn(async move {
            if let Err(error) = reading.read(reader).await {
                tracing::debug!(%error, "a shared connection broke");
            }
            reading.is_over.set(true);
            // Whoever still waits is told by that.
            reading.waiting.borrow_mut().clear();
            reading.outbox.close();
        });
        line
    }

    /// Asks, and waits for the answer: a message as [`frame::Answer`] has it.
    pub(super) async fn ask(&self, head: &Parts, body: &[u8]) -> Result<Bytes, NoAnswer> {
        // A service that hangs takes nothing, and what nobody waits for any more would pile up here.
        if self.is_over.get() || self.outbox.is_full() {
            return Err(NoAnswer::Unsent);
        }
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let fields = head.headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        let line = (head.method.as_str(), target);
        let number = self.next_number();
        let place = self
            .outbox
            .put(|to| frame::put_request(to, number, line, fields, body))
            .map_err(|NotAFrame| NoAnswer::Unsent)?;
        let (answered, answer) = oneshot::channel();
        self.waiting.borrow_mut().insert(number, answered);
        let _asked = Asked { line: self, number };
        answer.await.map_err(
            |_gone| {
                if self.outbox.is_unsent(place) { NoAnswer::Unsent } else { NoAnswer::Gone }
            },
        )
    }

    fn next_number(&self) -> u32 {
        let waiting = self.waiting.borrow();
        let mut number = self.last_number.get();
        loop {
            number = number.wrapping_add(1);
            if number != LEAVING && !waiting.contains_key(&number) {
                self.last_number.set(number);
                return number;
            }
        }
    }

    /// Hands out answers until the service ends the connection.
    async fn read(&self, mut reader: OwnedReadHalf) -> io::Result<()> {
        let mut read = BytesMut::with_capacity(PIECE);
        loop {
            while let Some((number, message)) = frame::next(&mut read).map_err(io::Error::other)? {
                if number == LEAVING {
                    self.is_over.set(true);
                    self.end_if_idle();
                } else if let Some(answered) = self.waiting.borrow_mut().remove(&number) {
                    // A client that is gone does not need to know.
                    let _ = answered.send(message);
                }
            }
            read.reserve(PIECE);
            if reader.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Tells a service that takes no more requests that there will be none.
    fn end_if_idle(&self) {
        if self.is_over.get() && self.waiting.borrow().is_empty() {
            self.outbox.close();
        }
    }
}

/// A request whose sender waits for the answer, until it is dropped.
struct Asked<'a> {
    line: &'a Line,
    number: u32,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.line.waiting.borrow_mut().remove(&self.number);
        self.line.end_if_idle();
    }
}
