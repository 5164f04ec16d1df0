//! Frames on their way to a client: few of them, and none that it does not take.
//!
//! A client may stop reading without going away, and what has been handed to its connection can then neither be sent
//! nor taken back. So little is handed over at once, and the rest is thrown away when the client is given up.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Place;

/// Frames that wait for a client beside the one that is being sent.
const WAITING: usize = 4;
/// How long a client may take to make room for one more.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the connection is handed of a frame at once: with less than [`crate::server::WRITE_BUFFER`] in its buffer it takes
/// another, which must not make that buffer grow.
const SLICE: usize = 4 * 1024;

/// Where frames for a client go. Dropped, it ends the connection.
#[derive(Debug)]
pub struct Outbox(Rc<Shared>);

/// The body of the answer that sends them.
#[derive(Debug)]
pub struct Sending {
    shared: Rc<Shared>,
    /// What is left of the frame that is being sent.
    current: Bytes,
    _place: Place,
}

#[derive(Debug, Default)]
struct Shared {
    queue: RefCell<Queue>,
    room: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Bytes>,
    /// Nothing comes behind what is waiting.
    is_complete: bool,
    /// The connection is gone.
    is_gone: bool,
    sender: Option<Waker>,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The client does not read fast enough.
    TooSlow,
    /// There is no connection any more.
    Gone,
}

impl Queue {
    fn wake(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.wake();
        }
    }
}

impl Outbox {
    /// An outbox, and the body of the answer that sends what is in it. The place is taken until the connection is gone.
    #[must_use]
    pub(super) fn new(place: Place) -> (Self, Sending) {
        let shared = Rc::<Shared>::default();
        (Self(Rc::clone(&shared)), Sending { shared, current: Bytes::new(), _place: place })
    }

    /// Sends a frame, as soon as there is room for it.
    ///
    /// # Errors
    /// When there is no room in good time.
    pub async fn send(&self, frame: Bytes) -> Result<(), NotTaken> {
        let pushed = async {
            loop {
                if let Some(outcome) = self.push(&frame) {
                    return outcome;
                }
                self.0.room.notified().await;
            }
        };
        timeout(PATIENCE, pushed).await.unwrap_or(Err(NotTaken::TooSlow))
    }

    /// `None`: there is no room.
    fn push(&self, frame: &Bytes) -> Option<Result<(), NotTaken>> {
        let mut queue = self.0.queue.borrow_mut();
        if queue.is_gone {
            return Some(Err(NotTaken::Gone));
        }
        (queue.waiting.len() < WAITING).then(|| {
            queue.waiting.push_back(frame.clone());
            queue.wake();
            Ok(())
        })
    }

    /// Sends a farewell in place of whatever waits.
    pub fn part(&self, farewell: Bytes) {
        let mut queue = self.0.queue.borrow_mut();
        queue.waiting = VecDeque::from([farewell]);
        queue.wake();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut queue = self.0.queue.borrow_mut();
        queue.is_complete = true;
        queue.wake();
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let mut queue = self.shared.queue.borrow_mut();
        queue.is_gone = true;
        queue.waiting.clear();
        self.shared.room.notify_one();
    }
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
        if self.current.is_empty() {
            let shared = Rc::clone(&self.shared);
            let mut queue = shared.queue.borrow_mut();
            match queue.waiting.pop_front() {
                Some(frame) => {
                    self.current = frame;
                    shared.room.notify_one();
                }
                None if queue.is_complete => return Poll::Ready(None),
                None => {
                    queue.sender = Some(context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
        let slice = self.current.len().min(SLICE);
        Poll::Ready(Some(Ok(self.current.split_to(slice))))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::super::frame::{close, text};
    use super::*;

    fn outbox() -> (Outbox, Sending) {
        Outbox::new(Place::take(std::sync::Arc::default(), "story"))
    }

    async fn next(sending: &mut Sending) -> Option<Bytes> {
        let slice = poll_fn(|context| Pin::new(&mut *sending).poll_next(context)).await;
        slice.map(|Ok(slice)| slice)
    }

    #[tokio::test]
    async fn a_farewell_takes_the_place_of_what_nobody_has_read() {
        let (outbox, mut sending) = outbox();
        let large = text(&"x".repeat(SLICE + 1));
        for _ in 0..WAITING {
            outbox.send(large.clone()).await.unwrap();
        }
        assert_eq!(next(&mut sending).await.unwrap(), large[..SLICE]);
        outbox.part(close(1013, "too slow"));
        assert_eq!(next(&mut sending).await.unwrap(), large[SLICE..], "a frame that was begun is ended");
        assert_eq!(next(&mut sending).await.unwrap(), close(1013, "too slow"));
        drop(outbox);
        assert!(next(&mut sending).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_too_slow_and_one_that_goes_is_gone() {
        let (outbox, mut sending) = outbox();
        for _ in 0..WAITING {
            outbox.send(text("frame")).await.unwrap();
        }
        assert_eq!(outbox.send(text("frame")).await, Err(NotTaken::TooSlow));
        let (sent, _) = tokio::join!(outbox.send(text("frame")), next(&mut sending));
        assert_eq!(sent, Ok(()), "there was room again");
        let (sent, ()) = tokio::join!(outbox.send(text("frame")), async { drop(sending) });
        assert_eq!(sent, Err(NotTaken::Gone));
    }
}
