//! Group commit: small requests that arrive at the same time share one look into the memory for repetitions, one
//! message, and so one write to the broker's disk. The disk takes about as long for one event as for a thousand.
//!
//! A request that finds nothing under way goes at once, and what arrives while groups are under way is gathered for the
//! next. After a group of many there is a pause that grows with their number: where the disk is fast, groups would
//! otherwise be of two or three, and the machine busy with their messages. So a lone sender waits for nobody, and many
//! senders wait for one write.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use millrace_cache::duplicates::{DuplicateMemory, Fingerprint};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::live::tap::Tap;
use millrace_messaging::publisher::publish;
use millrace_messaging::trace::Origin;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// A request with at least this many events is worth a message of its own.
const LARGE: usize = 200;
/// Events in one gathered message, about.
const GATHER_EVENTS: usize = 2_000;
/// Groups under way at once. With one, the broker idles while the next is prepared; with many, they are small.
const IN_FLIGHT: usize = 2;
/// How long the next group is put off for each request in the last one that was not alone, and at most.
const PAUSE_PER_REQUEST: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);
/// Requests that may wait. Somebody waits for each, so this is also how many wait at most.
const QUEUE: usize = 10_000;

/// The events of a request, in need of a verdict.
struct Submission {
    batch: EventBatch,
    origin: Origin,
    done: oneshot::Sender<Result<u64, MessagingError>>,
}

/// Takes the events of requests into the log, the small requests together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    log: Log,
    queue: mpsc::Sender<Submission>,
}

/// The other end: gathers and commits. See [`Gatherer::run`].
#[derive(Debug)]
pub struct Gatherer {
    log: Log,
    queue: mpsc::Receiver<Submission>,
}

/// What a group passes through.
#[derive(Clone, Debug)]
struct Log {
    broker: Broker,
    memory: DuplicateMemory,
    tap: Tap,
}

impl GroupCommit {
    /// The way into the log, and the component that has to run for it.
    #[must_use]
    pub fn new(broker: Broker, memory: DuplicateMemory, tap: Tap) -> (Self, Gatherer) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let log = Log { broker, memory, tap };
        (Self { log: log.clone(), queue: sender }, Gatherer { log, queue: receiver })
    }

    /// Makes those events durable that were not accepted a short while ago, and returns how many those are.
    ///
    /// # Errors
    /// [`MessagingError::Unavailable`] when it may succeed later, also when too many requests wait. Some of the events
    /// may be in the log all the same; sent again, they are not doubled.
    pub async fn admit(&self, batch: EventBatch, origin: Origin) -> Result<u64, MessagingError> {
        let (done, verdict) = oneshot::channel();
        let large = batch.events.len() >= LARGE;
        let submission = Submission { batch, origin, done };
        if large {
            self.log.commit(vec![submission]).await;
        } else {
            self.log.broker.check_connected()?;
            self.queue.try_send(submission).map_err(|_full| {
                MessagingError::Unavailable("too many requests wait for the log".to_owned())
            })?;
        }
        verdict.await.map_err(|_gone| MessagingError::Unavailable("the service is stopping".to_owned()))?
    }
}

impl Gatherer {
    /// Gathers and commits until every [`GroupCommit`] is gone and the last request has its verdict.
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
                        in_flight.push(commit_group(self.log.clone(), group));
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

fn pause_after(requests: usize) -> Duration {
    PAUSE_PER_REQUEST.saturating_mul(u32::try_from(requests).unwrap_or(u32::MAX)).min(LONGEST_PAUSE)
}

/// Commits a group, a message for each project in it.
async fn commit_group(log: Log, group: Vec<Submission>) {
    let mut projects: HashMap<ProjectId, Vec<Submission>> = HashMap::new();
    for submission in group {
        projects.entry(submission.batch.project_id).or_default().push(submission);
    }
    join_all(projects.into_values().map(|submissions| log.commit(submissions))).await;
}

impl Log {
    /// Sets aside what was accepted before, publishes the rest as one message, remembers it, and tells everyone.
    ///
    /// Remembered only once the broker has acknowledged: an event that was remembered and then failed to publish would
    /// be refused when its sender tries again.
    async fn commit(&self, submissions: Vec<Submission>) {
        let Some(first) = submissions.first() else { return };
        // The group was received when the first of it was.
        let (project_id, received_at) = (first.batch.project_id, first.batch.received_at);
        let (mut events, mut origins) = (Vec::new(), Vec::with_capacity(submissions.len()));
        let mut waiting = Vec::with_capacity(submissions.len());
        for Submission { batch, origin, done } in submissions {
            waiting.push((done, batch.events.len()));
            origins.push(origin);
            events.extend(batch.events);
        }
        let mut fingerprints: Vec<Fingerprint> = events.iter().map(fingerprint).collect();
        let fresh = self.unseen(project_id, &fingerprints, received_at).await;
        keep(&mut events, &fresh);
        keep(&mut fingerprints, &fresh);

        let mut fresh = fresh.into_iter();
        let accepted: Vec<usize> = waiting
            .iter()
            .map(|(_, sent)| fresh.by_ref().take(*sent).filter(|fresh| *fresh).count())
            .collect();
        for (origin, accepted) in origins.iter_mut().zip(&accepted) {
            origin.events = *accepted;
        }
        origins.retain(|origin| origin.events > 0);
        let batch = EventBatch { project_id, received_at, events };
        let outcome = self.publish(&batch, &origins, &fingerprints).await;
        for ((done, _), accepted) in waiting.into_iter().zip(accepted) {
            let verdict = outcome.clone().map(|()| u64::try_from(accepted).unwrap_or(u64::MAX));
            // A sender that is gone does not need to know.
            let _ = done.send(verdict);
        }
    }

    async fn publish(
        &self,
        batch: &EventBatch,
        origins: &[Origin],
        fingerprints: &[Fingerprint],
    ) -> Result<(), MessagingError> {
        if batch.events.is_empty() {
            return Ok(());
        }
        publish(&self.broker, batch, origins).await?;
        if let Some(sample) = self.tap.sample(batch) {
            self.tap.show(sample);
        }
        // A failure was counted and logged where it happened, and costs only the verdict on a repetition.
        let _ = self.memory.remember(batch.project_id, fingerprints, batch.received_at).await;
        Ok(())
    }

    /// Which of the events were not accepted a short while ago and do not stand earlier in the group. With the memory
    /// away nothing is known to be a repetition; the database recognises those that are.
    async fn unseen(&self, project: ProjectId, events: &[Fingerprint], now: DateTime<Utc>) -> Vec<bool> {
        let seen = self
            .memory
            .seen(project, events, now)
            .await
            .unwrap_or_else(|_counted_and_logged| vec![false; events.len()]);
        let mut met = HashSet::with_capacity(events.len());
        events.iter().zip(seen).map(|(event, seen)| !seen && met.insert(*event)).collect()
    }
}

/// What an event is recognised by.
pub(crate) fn fingerprint(event: &Event) -> Fingerprint {
    Fingerprint::of(event.event_id, event.occurred_at)
}

/// Keeps the items whose place is marked.
fn keep<T>(items: &mut Vec<T>, marked: &[bool]) {
    let mut marked = marked.iter();
    items.retain(|_| marked.next().is_some_and(|marked| *marked));
}
