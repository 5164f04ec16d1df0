//! An answer that was all there before the client is told of it.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use crate::upstreams::circuit::Place;

/// Its body. The request keeps its place until the client's connection takes that, or clients that take nothing would have
/// the gateway hold any number of answers.
#[derive(Debug)]
pub struct Whole {
    body: Bytes,
    #[expect(dead_code, reason = "held for its Drop")]
    place: Place,
}

impl Whole {
    /// Copies the body: it would keep all that was read together with it.
    pub(super) fn new(body: &[u8], place: Place) -> Self {
        Self { body: Bytes::copy_from_slice(body), place }
    }
}

impl MessageBody for Whole {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.body.len() as u64)
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let body = mem::take(&mut self.get_mut().body);
        Poll::Ready((!body.is_empty()).then_some(Ok(body)))
    }
}
