use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

use super::{Batch, SendError, Sender};
use crate::api::Verdict;

/// A batch and what its sender wants to remember about it.
#[derive(Debug, Default)]
pub struct Parcel<T> {
    /// The events.
    pub events: Batch,
    /// Whatever the verdict will be compared with.
    pub slip: T,
}

/// What became of a parcel.
#[derive(Debug)]
pub struct Delivery<T> {
    /// The parcel's slip.
    pub slip: T,
    /// The server's verdict on those events that it has judged: all of them if `result` is `Ok`.
    pub verdict: Verdict,
    /// Why the rest was not delivered.
    pub result: Result<(), SendError>,
}

/// Delivers parcels, `concurrency` at once, in no particular order. Takes no more of them once the
/// sender is told to stop, and finishes those in hand.
pub fn deliver<'a, T: 'a>(
    sender: &'a Sender,
    mut parcels: mpsc::Receiver<Parcel<T>>,
    concurrency: usize,
) -> impl Stream<Item = Delivery<T>> + 'a {
    stream::poll_fn(move |context| parcels.poll_recv(context))
        .take_until(sender.stop().cancelled_owned())
        .map(move |Parcel { events, slip }| async move {
            let mut verdict = Verdict::default();
            let result = sender.send(&events, &mut verdict).await;
            Delivery { slip, verdict, result }
        })
        .buffer_unordered(concurrency)
}
