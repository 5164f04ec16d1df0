//! Shows what ingest accepts to whoever listens, without making anybody wait for it.
//!
//! Core NATS does not tell a publisher whether somebody is subscribed, but it answers a message that asks for a reply
//! and reaches nobody at once ("no responders"). So every message names a subject for replies, on which nothing but
//! that ever comes; and while nobody listens, a project costs a few events a second and a look into a table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_nats::StatusCode;
use futures_util::StreamExt;
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use tokio::sync::mpsc;

use super::attention::Attention;
use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// Samples that may wait, each of at most a second's worth of a project. What finds no place is dropped.
const QUEUE: usize = 32;

/// Takes samples of what is accepted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tap {
    projects: Projects,
    queue: mpsc::Sender<Sample>,
}

/// The other end: publishes. See [`Tapper::run`].
#[derive(Debug)]
pub struct Tapper {
    broker: Broker,
    projects: Projects,
    queue: mpsc::Receiver<Sample>,
}

/// Events to show once they are accepted.
#[derive(Debug)]
pub struct Sample {
    batch: EventBatch,
    accepted: u64,
}

#[derive(Clone, Debug, Default)]
struct Projects(Arc<Mutex<HashMap<ProjectId, Attention>>>);

impl Projects {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, Attention>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap {
    /// A tap, and the component that has to run for it.
    #[must_use]
    pub fn new(broker: Broker) -> (Self, Tapper) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let projects = Projects::default();
        (Self { projects: projects.clone(), queue: sender }, Tapper { broker, projects, queue })
    }

    /// What to show of a batch, if somebody listens.
    #[must_use]
    pub fn sample(&self, batch: &EventBatch) -> Option<Sample> {
        let now = Instant::now();
        let mut projects = self.projects.lock();
        let attention = projects.entry(batch.project_id).or_insert_with(|| Attention::new(now));
        let (accepted, events): (u64, Vec<Event>) = attention.sample(&batch.events, now)?;
        let batch = EventBatch { project_id: batch.project_id, received_at: batch.received_at, events };
        Some(Sample { batch, accepted })
    }

    /// Shows a sample of what has been accepted, soon or not at all.
    pub fn show(&self, sample: Sample) {
        if let Err(mpsc::error::TrySendError::Full(sample)) = self.queue.try_send(sample) {
            drop_counted(&sample);
        }
    }
}

impl Tapper {
    /// Publishes until every [`Tap`] is gone.
    ///
    /// # Errors
    /// When the broker ends the subscription.
    pub async fn run(mut self) -> Result<(), MessagingError> {
        let client = self.broker.client.clone();
        let inbox = client.new_inbox();
        let mut replies =
            client.subscribe(format!("{inbox}.*")).await.map_err(MessagingError::unavailable)?;
        loop {
            tokio::select! {
                reply = replies.next() => match reply {
                    Some(reply) if reply.status == Some(StatusCode::NO_RESPONDERS) => {
                        let mut projects = self.projects.lock();
                        let project = subjects::project_in(&reply.subject);
                        if let Some(attention) = project.and_then(|project| projects.get_mut(&project)) {
                            attention.nobody_listens(Instant::now());
                        }
                    }
                    Some(_somebody_replies) => {}
                    None => return Err(MessagingError::Unavailable("the subscription to replies ended".to_owned())),
                },
                sample = self.queue.recv() => match sample {
                    Some(sample) => self.publish(&sample, &inbox).await,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn publish(&self, sample: &Sample, inbox: &str) {
        let project = sample.batch.project_id;
        let Ok(payload) = super::encode(&sample.batch, sample.accepted) else { return drop_counted(sample) };
        if self.broker.check_connected().is_err() {
            // The client would keep it for a connection that nobody may be at the other end of.
            return drop_counted(sample);
        }
        let (subject, reply) = (subjects::live(project), format!("{inbox}.{project}"));
        match self.broker.client.publish_with_reply(subject, reply, payload.into()).await {
            Ok(()) => metrics::counter!("live_events_shown_total").increment(events(sample)),
            Err(_closing_or_too_large) => drop_counted(sample),
        }
    }
}

fn drop_counted(sample: &Sample) {
    metrics::counter!("live_events_dropped_total").increment(events(sample));
}

fn events(sample: &Sample) -> u64 {
    u64::try_from(sample.batch.events.len()).unwrap_or(u64::MAX)
}
