use std::pin::pin;
use std::time::Duration;

use chrono::Utc;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::event::Event;
use super::live::Live;
use crate::api::Verdict;
use crate::client::{Batch, Delivery, Parcel, PushError, SendError, Sender, deliver};
use crate::summary::Summary;

/// Events in a request.
const BATCH: usize = 1000;
/// Requests in flight.
const CONCURRENCY: usize = 4;
const LIVE_EVERY: Duration = Duration::from_millis(500);

/// Sends events that have happened.
pub(super) async fn send_all(
    mut events: impl Iterator<Item = Event> + Send + 'static,
    sender: &Sender,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let (parcels, queue) = mpsc::channel(CONCURRENCY);
    let simulation = tokio::task::spawn_blocking(move || {
        loop {
            let events = batch(events.by_ref().take(BATCH))?;
            if events.is_empty() || parcels.blocking_send(Parcel { events, slip: () }).is_err() {
                return Ok::<_, PushError>(());
            }
        }
    });
    let mut deliveries = pin!(deliver(sender, queue, CONCURRENCY));
    let mut first_error = None;
    while let Some(Delivery { verdict, result, .. }) = deliveries.next().await {
        summary.add(&verdict);
        if let Err(error) = result {
            sender.stop().cancel();
            first_error.get_or_insert(error);
        }
    }
    if let Some(error) = first_error {
        return Err(error.into());
    }
    if !sender.stop().is_cancelled() {
        simulation.await??;
    }
    Ok(())
}

/// Sends events as they happen, until the sender is told to stop.
pub(super) async fn keep_sending(
    mut live: Live,
    sender: &Sender,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let stop = sender.stop();
    let mut tick = tokio::time::interval(LIVE_EVERY);
    // After a time without the server there is one large batch to send, not many small ones.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        let mut verdict = Verdict::default();
        let sent = sender.send(&batch(live.due(Utc::now()).into_iter())?, &mut verdict).await;
        summary.add(&verdict);
        match sent {
            Ok(()) => {}
            Err(SendError::Interrupted) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn batch(events: impl Iterator<Item = Event>) -> Result<Batch, PushError> {
    let mut batch = Batch::default();
    for event in events {
        batch.push(&event)?;
    }
    Ok(batch)
}
