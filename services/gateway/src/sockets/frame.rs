//! Frames of the WebSocket protocol ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)) from a server, and
//! their way to a client.
//!
//! What a server sends is not masked, so a frame is the same for all of its clients: it is made once and shared.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Frames that wait for a client beside those that the connection has taken.
const WAITING: usize = 4;
/// How long a client may take to make room for one more.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes a control frame may carry.
const MAX_CONTROL: usize = 125;

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A whole text.
#[must_use]
pub fn text(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// A question whether the client is there.
#[must_use]
pub fn ping() -> Bytes {
    frame(PING, b"")
}

/// The answer to such a question.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, payload.get(..MAX_CONTROL).unwrap_or(payload))
}

/// A farewell. The reason is cut to what fits.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(MAX_CONTROL - size_of::<u16>());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    frame(CLOSE, &payload)
}

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.into()
}

/// Where frames for a client go. Dropped, it ends the connection.
#[derive(Debug)]
pub struct Outbox {
    frames: mpsc::Sender<Bytes>,
    farewell: Option<oneshot::Sender<Bytes>>,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The client does not read fast enough.
    TooSlow,
    /// There is no connection any more.
    Gone,
}

impl Outbox {
    /// An outbox, and the body of the answer that sends what is in it.
    #[must_use]
    pub fn new() -> (Self, Sending) {
        let (frames, waiting) = mpsc::channel(WAITING);
        let (farewell, last) = oneshot::channel();
        (Self { frames, farewell: Some(farewell) }, Sending { waiting, last: Some(last), is_last: false })
    }

    /// Sends a frame, as soon as there is room for it.
    ///
    /// # Errors
    /// When there is no room in good time.
    pub async fn send(&self, frame: Bytes) -> Result<(), NotTaken> {
        match self.frames.try_send(frame) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(NotTaken::Gone),
            Err(mpsc::error::TrySendError::Full(frame)) => {
                match tokio::time::timeout(PATIENCE, self.frames.send(frame)).await {
                    Ok(sent) => sent.map_err(|_closed| NotTaken::Gone),
                    Err(_elapsed) => Err(NotTaken::TooSlow),
                }
            }
        }
    }

    /// Sends a farewell in place of whatever waits.
    pub fn part(&mut self, frame: Bytes) {
        if let Some(farewell) = self.farewell.take() {
            // The connection may be gone.
            let _ = farewell.send(frame);
        }
    }
}

/// The frames on their way: the next one is taken when the connection has room for it.
#[derive(Debug)]
pub struct Sending {
    waiting: mpsc::Receiver<Bytes>,
    last: Option<oneshot::Receiver<Bytes>>,
    is_last: bool,
}

impl MessageBody for Sending {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(last) = &mut self.last
            && let Poll::Ready(farewell) = Pin::new(last).poll(context)
        {
            self.last = None;
            if let Ok(farewell) = farewell {
                self.is_last = true;
                return Poll::Ready(Some(Ok(farewell)));
            }
        }
        loop {
            return match self.waiting.poll_recv(context) {
                // What waited behind a farewell is nothing to the client.
                Poll::Ready(Some(_)) if self.is_last => continue,
                Poll::Ready(frame) => Poll::Ready(frame.map(Ok)),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn frames_are_those_of_the_protocol() {
        assert_eq!(&text("Hello")[..], b"\x81\x05Hello", "the example of section 5.7");
        assert_eq!(&ping()[..], b"\x89\x00");
        assert_eq!(&close(1000, "bye")[..], b"\x88\x05\x03\xe8bye");
        assert_eq!(&text(&"x".repeat(126))[..4], b"\x81\x7e\x00\x7e");
        assert_eq!(&text(&"x".repeat(65_536))[..10], b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        let long = close(4000, &"ü".repeat(100));
        assert_eq!((long.len(), long[1]), (2 + 2 + 122, 124), "cut between two characters");
    }

    #[tokio::test]
    async fn a_farewell_does_not_wait_behind_what_nobody_reads() {
        let (mut outbox, mut sending) = Outbox::new();
        for _ in 0..WAITING {
            outbox.send(text("frame")).await.unwrap();
        }
        outbox.part(close(1013, "too slow"));
        let mut next = async || poll_fn(|context| Pin::new(&mut sending).poll_next(context)).await;
        assert_eq!(next().await.unwrap().unwrap(), close(1013, "too slow"));
        drop(outbox);
        assert!(next().await.is_none());
    }
}
