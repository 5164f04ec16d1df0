//! Group commit: small requests that arrive at the same time share one look into the memory for repetitions, one
//! message, and so one write to the broker's disk. The disk takes about as long for one event as for a thousand.
//!
//! What arrives while a group is under way is gathered for the next. Where the disk is fast, groups would be of two or
//! three, and the machine busy with their messages: so senders wait for each other ([`company`]). A lone sender waits for
//! nobody, and many senders wait for one write.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use millrace_cache::duplicates::{DuplicateMemory, Fingerprint};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::live::tap::Tap;
use millrace_messaging::publisher::publish;
use millrace_messaging::trace::Origin;
use tokio::sync::mpsc;

mod company;
mod courier;

use company::Company;
use courier::{Verdict, Waiting, deliver};

/// A request with at least this many events is worth a message of its own.
const LARGE: usize = 200;
/// Events in one gathered message, about.
const GATHER_EVENTS: usize = 2_000;
/// Requests that may wait. Somebody waits for each, so this is also how many wait at most.
const QUEUE: usize = 10_000;

/// The events of a request.
type Request = (EventBatch, Origin);

/// A request in the queue.
struct Submission {
    request: Request,
    waiting: Waiting,
}

/// Takes the events of requests into the log, the small requests together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct GroupCommit {
    log: Log,
    queue: mpsc::Sender<Submission>,
    company: Arc<Company>,
}

/// The other end: gathers and commits. See [`Gatherer::run`].
#[derive(Debug)]
pub struct Gatherer {
    log: Log,
    queue: mpsc::Receiver<Submission>,
    company: Arc<Company>,
}

/// What came of requests of one project.
#[derive(Debug, Default)]
struct Committed {
    verdicts: Vec<Verdict>,
    fresh: Option<Fresh>,
}

/// Events that are in the log and not remembered yet.
#[derive(Debug)]
struct Fresh {
    project_id: ProjectId,
    received_at: DateTime<Utc>,
    fingerprints: Vec<Fingerprint>,
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
        let (log, company) = (Log { broker, memory, tap }, Arc::new(Company::new(GATHER_EVENTS)));
        let gatherer = Gatherer { log: log.clone(), queue: receiver, company: Arc::clone(&company) };
        (Self { log, queue: sender, company }, gatherer)
    }

    /// Makes those events durable that were not accepted a short while ago, and returns how many those are.
    ///
    /// # Errors
    /// [`MessagingError::Unavailable`] when it may succeed later, also when too many requests wait. Some of the events
    /// may be in the log all the same; sent again, they are not doubled.
    pub async fn admit(&self, batch: EventBatch, origin: Origin) -> Result<u64, MessagingError> {
        if batch.events.len() >= LARGE {
            let Committed { mut verdicts, fresh } = self.log.commit(vec![(batch, origin)]).await;
            self.log.remember(fresh).await;
            let verdict = verdicts.pop();
            return verdict.unwrap_or_else(|| Err(MessagingError::Unavailable("no verdict".to_owned())));
        }
        self.log.broker.check_connected()?;
        let (waiting, verdict) = Waiting::here();
        let events = batch.events.len();
        let guest = self.company.enter(events);
        self.queue.try_send(Submission { request: (batch, origin), waiting }).map_err(|_full| {
            self.company.leave(events);
            MessagingError::Unavailable("too many requests wait for the log".to_owned())
        })?;
        self.company.look_around();
        let verdict = verdict.await;
        drop(guest);
        verdict.map_err(|_gone| MessagingError::Unavailable("the service is stopping".to_owned()))?
    }
}

impl Gatherer {
    /// Gathers and commits until every [`GroupCommit`] is gone and the last request has its verdict.
    ///
    /// # Errors
    /// Never: a failure is each sender's to know.
    pub async fn run(mut self) -> Result<(), MessagingError> {
        while let Some(first) = self.queue.recv().await {
            self.company.gathers().await;
            let group = self.gather(first);
            commit_group(&self.log, group).await;
        }
        Ok(())
    }

    /// The first and whatever waits behind it, up to the size of a good message.
    fn gather(&mut self, first: Submission) -> Vec<Submission> {
        let mut events = first.events();
        let mut group = vec![first];
        while events < GATHER_EVENTS
            && let Ok(next) = self.queue.try_recv()
        {
            events += next.events();
            group.push(next);
        }
        self.company.leave(events);
        group
    }
}

impl Submission {
    fn events(&self) -> usize {
        self.request.0.events.len()
    }
}

/// Commits a group, a message for each project in it.
async fn commit_group(log: &Log, group: Vec<Submission>) {
    let mut projects: HashMap<ProjectId, (Vec<Request>, Vec<Waiting>)> = HashMap::new();
    for Submission { request, waiting } in group {
        let (requests, waits) = projects.entry(request.0.project_id).or_default();
        requests.push(request);
        waits.push(waiting);
    }
    join_all(projects.into_values().map(|(requests, waiting)| async move {
        let Committed { verdicts, fresh } = log.commit(requests).await;
        // Redis is told first, and verdicts do not wait for it: whoever has one and sends the same again is in another group,
        // which asks only when this one is over.
        let answered = async { deliver(waiting.into_iter().zip(verdicts)) };
        tokio::join!(biased; log.remember(fresh), answered);
    }))
    .await;
}

impl Log {
    /// Sets aside what was accepted before, publishes the rest as one message, and answers a verdict for each request. All
    /// of them are of one project.
    async fn commit(&self, requests: Vec<Request>) -> Committed {
        let Some((first, _)) = requests.first() else { return Committed::default() };
        // The group was received when the first of it was.
        let (project_id, received_at) = (first.project_id, first.received_at);
        let (mut events, mut origins) = (Vec::new(), Vec::with_capacity(requests.len()));
        let mut sent = Vec::with_capacity(requests.len());
        for (batch, origin) in requests {
            sent.push(batch.events.len());
            origins.push(origin);
            events.extend(batch.events);
        }
        let mut fingerprints: Vec<Fingerprint> = events.iter().map(fingerprint).collect();
        let fresh = self.unseen(project_id, &fingerprints, received_at).await;
        keep(&mut events, &fresh);
        keep(&mut fingerprints, &fresh);

        let mut fresh = fresh.into_iter();
        let accepted: Vec<usize> =
            sent.into_iter().map(|sent| fresh.by_ref().take(sent).filter(|fresh| *fresh).count()).collect();
        for (origin, accepted) in origins.iter_mut().zip(&accepted) {
            origin.events = *accepted;
        }
        origins.retain(|origin| origin.events > 0);
        let batch = EventBatch { project_id, received_at, events };
        let outcome = self.publish(&batch, &origins).await;
        let verdict = |accepted| outcome.clone().map(|()| u64::try_from(accepted).unwrap_or(u64::MAX));
        let verdicts = accepted.into_iter().map(verdict).collect();
        let fresh = outcome.is_ok().then_some(Fresh { project_id, received_at, fingerprints });
        Committed { verdicts, fresh }
    }

    async fn publish(&self, batch: &EventBatch, origins: &[Origin]) -> Result<(), MessagingError> {
        if batch.events.is_empty() {
            return Ok(());
        }
        publish(&self.broker, batch, origins).await?;
        if let Some(sample) = self.tap.sample(batch) {
            self.tap.show(sample);
        }
        Ok(())
    }

    /// Remembers what the broker has acknowledged. Never earlier: an event that was remembered and then failed to publish
    /// would be refused when its sender tries again.
    async fn remember(&self, fresh: Option<Fresh>) {
        let Some(Fresh { project_id, received_at, fingerprints }) = fresh else { return };
        // A failure was counted and logged where it happened, and costs only the verdict on a repetition.
        let _ = self.memory.remember(project_id, &fingerprints, received_at).await;
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
