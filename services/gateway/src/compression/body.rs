//! A body that is compressed as it is sent.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

use super::encoder::Encoder;

/// The body, chunk by chunk. What has come is never held back while more is waited for.
pub struct Compressed<B> {
    body: Pin<Box<B>>,
    /// Until the end.
    encoder: Option<Encoder>,
    /// Whether the encoder holds something.
    holds: bool,
}

impl<B> Compressed<B> {
    pub(super) fn new(body: B, encoder: Encoder) -> Self {
        Self { body: Box::pin(body), encoder: Some(encoder), holds: false }
    }
}

impl<B: MessageBody> MessageBody for Compressed<B> {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        loop {
            let Some(encoder) = &mut this.encoder else { return Poll::Ready(None) };
            let (encoded, pending) = match this.body.as_mut().poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => {
                    this.holds = true;
                    (encoder.write(&chunk), false)
                }
                Poll::Ready(Some(Err(error))) => {
                    // Without its end the encoded answer is not a whole one either.
                    this.encoder = None;
                    return Poll::Ready(Some(Err(error.into())));
                }
                Poll::Ready(None) => {
                    let Some(encoder) = this.encoder.take() else { return Poll::Ready(None) };
                    (encoder.finish(), false)
                }
                Poll::Pending if this.holds => {
                    this.holds = false;
                    (encoder.flush(), true)
                }
                Poll::Pending => return Poll::Pending,
            };
            match encoded {
                Ok(bytes) if bytes.is_empty() && pending => return Poll::Pending,
                // An empty chunk would end the answer.
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }
}
