//! Group commit: small batches of requests that arrive at the same time share a message, and so a write to the
//! broker's disk. The disk takes about as long for one event as for a thousand.
//!
//! A batch that finds nothing under way is published at once, and what arrives while messages are under way is gathered
//! for the next. After a message that many share there is a pause that grows with their number: where the disk is
//! fast, groups would otherwise be of two or three, and the machine busy with their messages. So a lone sender waits
//! for nobody, and many senders wait for one write.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use millrace_domain::batch::EventBatch;
use millrace_domain::ids::ProjectId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::publisher::publish;
use crate::trace::Origin;

/// A batch of at least this many events is worth a message of its own.
const LARGE: usize = 200;
/// Events in one gathered message, about.
const GATHER_EVENTS: usize = 2_000;
/// Messages under way at once. With one, the broker idles while the next is prepared; with many, they are small.
const IN_FLIGHT: usize = 2;
/// How long the next message is put off for each batch in the last one that was not alone, and at most.
const PAUSE_PER_BATCH: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);
/// Batches that may wait. Each is a request somebody waits for, so this is also how many wait at most.
const QUEUE: usize = 10_000;

struct Submission {
    batch: EventBatch,
    origin: Origin,
    done: oneshot::Sender<Result<(), MessagingError>>,
}

/// Publishes batches, the small ones together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupPublisher {
    broker: Broker,
    queue: mpsc::Sender<Submission>,
}

/// The other end: gathers and publishes. See [`Gatherer::run`].
#[derive(Debug)]
pub struct Gatherer {
    broker: Broker,
    queue: mpsc::Receiver<Submission>,
}

impl GroupPublisher {
    /// A publisher, and the component that has to run for it.
    #[must_use]
    pub fn new(broker: Broker) -> (Self, Gatherer) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self { broker: broker.clone(), queue: sender }, Gatherer { broker, queue: receiver })
    }

    /// Publishes a batch and returns when JetStream has acknowledged it; see [`publish`].
    ///
    /// # Errors
    /// [`MessagingError::Unavailable`] when it may succeed later, also when too many batches wait.
    pub async fn publish(&self, batch: EventBatch, origin: Origin) -> Result<(), MessagingError> {
        if batch.events.len() >= LARGE {
            return publish(&self.broker, &batch, &[origin]).await;
        }
        self.broker.check_connected()?;
        let (done, answer) = oneshot::channel();
        let submission = Submission { batch, origin, done };
        self.queue
            .try_send(submission)
            .map_err(|_full| MessagingError::Unavailable("too many requests wait for the log".to_owned()))?;
        answer.await.map_err(|_gone| MessagingError::Unavailable("the service is stopping".to_owned()))?
    }
}

impl Gatherer {
    /// Gathers and publishes until every [`GroupPublisher`] is gone and the last batch is settled.
    ///
    /// # Errors
    /// Never: a failure is each sender's to know.
    pub async fn run(mut self) -> Result<(), MessagingError> {
        let mut in_flight = FuturesUnordered::new();
        let pause = tokio::time::sleep(Duration::ZERO);
        let mut pause = pin!(pause);
        let mut paused = false;
        loop {
            tokio::select! {
                first = self.queue.recv(), if !paused && in_flight.len() < IN_FLIGHT => match first {
                    Some(first) => {
                        let group = self.gather(first);
                        paused = group.len() > 1;
                        pause.as_mut().reset(Instant::now() + pause_after(group.len()));
                        in_flight.push(settle(self.broker.clone(), group));
                    }
                    None => break,
                },
                () = &mut pause, if paused => paused = false,
                Some(()) = in_flight.next() => {}
            }
        }
        while in_flight.next().await.is_some() {}
        Ok(())
    }

    /// The first and whatever waits behind it, up to the size of a good message.
    fn gather(&mut self, first: Submission) -> Vec<Submission> {
        let mut events = first.batch.events.len();
        let mut group = vec![first];
        while events < GATHER_EVENTS
            && let Ok(next) = self.queue.try_recv()
        {
            events += next.batch.events.len();
            group.push(next);
        }
        group
    }
}

fn pause_after(batches: usize) -> Duration {
    PAUSE_PER_BATCH.saturating_mul(u32::try_from(batches).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// Publishes a group, a message for each project in it, and tells everyone.
async fn settle(broker: Broker, group: Vec<Submission>) {
    let mut projects: HashMap<ProjectId, Vec<Submission>> = HashMap::new();
    for submission in group {
        projects.entry(submission.batch.project_id).or_default().push(submission);
    }
    join_all(projects.into_values().map(|submissions| settle_project(&broker, submissions))).await;
}

async fn settle_project(broker: &Broker, submissions: Vec<Submission>) {
    let mut events = Vec::new();
    let mut origins = Vec::with_capacity(submissions.len());
    let mut waiting = Vec::with_capacity(submissions.len());
    let mut envelope = None;
    for submission in submissions {
        // The group was received when the first of it was.
        envelope.get_or_insert((submission.batch.project_id, submission.batch.received_at));
        origins.push(Origin { events: submission.batch.events.len(), ..submission.origin });
        events.extend(submission.batch.events);
        waiting.push(submission.done);
    }
    let Some((project_id, received_at)) = envelope else { return };
    let batch = EventBatch { project_id, received_at, events };
    let outcome = publish(broker, &batch, &origins).await;
    for done in waiting {
        // A sender that is gone does not need to know.
        let _ = done.send(outcome.clone());
    }
}
