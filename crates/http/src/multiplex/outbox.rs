//! What waits to be written to a shared connection.

use std::cell::{Cell, RefCell};
use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

/// How many bytes a buffer keeps room for. One that a large answer has stretched is let go.
const KEPT: usize = 256 * 1024;

/// With more than so many bytes it is full: the other side takes nothing.
const FULL: usize = 4 * 1024 * 1024;

/// The frames of one thread on their way out. What is put in while the thread is busy with other requests goes out in one
/// piece afterwards: the task that writes is woken by the first frame and has its turn behind those that are ready.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: RefCell<BytesMut>,
    change: Notify,
    put: Cell<u64>,
    /// Of what was put in, how many bytes the system may have got.
    taken: Cell<u64>,
    closed: Cell<bool>,
}

/// The place of a frame in all that is put in.
#[derive(Clone, Copy, Debug)]
pub struct Place(u64);

impl Outbox {
    /// Puts in what `write` appends.
    ///
    /// # Errors
    /// Those of `write`, which then must have appended nothing.
    pub fn put<E>(&self, write: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<Place, E> {
        let mut waiting = self.waiting.borrow_mut();
        let before = waiting.len();
        write(&mut waiting)?;
        let place = Place(self.put.get());
        self.put.set(place.0 + (waiting.len() - before) as u64);
        self.change.notify_one();
        Ok(place)
    }

    /// Whether it is certain that nothing of a frame has been written.
    #[must_use]
    pub fn is_unsent(&self, place: Place) -> bool {
        self.taken.get() <= place.0
    }

    /// Whether so much waits that it is better to put in no more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.borrow().len() > FULL
    }

    /// Nothing more will be put in.
    pub fn close(&self) {
        self.closed.set(true);
        self.change.notify_one();
    }

    /// Writes what is put in, until it is closed and empty; and then says so to the other side.
    ///
    /// # Errors
    /// When the connection is broken.
    pub async fn write_to(&self, mut connection: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut piece = BytesMut::new();
        loop {
            std::mem::swap(&mut *self.waiting.borrow_mut(), &mut piece);
            if piece.is_empty() {
                if self.closed.get() {
                    return connection.shutdown().await;
                }
                self.change.notified().await;
                continue;
            }
            self.taken.update(|taken| taken + piece.len() as u64);
            connection.write_all(&piece).await?;
            piece.clear();
            if piece.capacity() > KEPT {
                piece = BytesMut::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::rc::Rc;

    use actix_web::rt;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn put(outbox: &Outbox, text: &str) -> Place {
        let append = |to: &mut BytesMut| {
            to.extend_from_slice(text.as_bytes());
            Ok::<_, Infallible>(())
        };
        outbox.put(append).unwrap()
    }

    #[actix_web::test]
    async fn what_is_put_in_goes_out_in_order_and_then_the_connection_ends() {
        let outbox = Rc::new(Outbox::default());
        let (here, mut there) = tokio::io::duplex(3);
        let writer = Rc::clone(&outbox);
        let written = rt::spawn(async move { writer.write_to(here).await });
        put(&outbox, "to and ");
        rt::task::yield_now().await;
        put(&outbox, "fro");
        outbox.close();
        let mut read = String::new();
        there.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "to and fro");
        written.await.unwrap().unwrap();
    }

    #[actix_web::test]
    async fn of_what_the_connection_did_not_take_it_is_known_that_it_was_not_sent() {
        let outbox = Rc::new(Outbox::default());
        let (here, there) = tokio::io::duplex(3);
        let writer = Rc::clone(&outbox);
        let written = rt::spawn(async move { writer.write_to(here).await });
        let first = put(&outbox, "more than there is room for");
        assert!(outbox.is_unsent(first));
        rt::task::yield_now().await;
        let second = put(&outbox, "behind it");
        assert!(!outbox.is_full());
        put(&outbox, &"y".repeat(FULL));
        assert!(outbox.is_full());
        drop(there);
        written.await.unwrap().unwrap_err();
        assert!(!outbox.is_unsent(first), "a part of it");
        assert!(outbox.is_unsent(second));
    }
}
