//! One line of work: pull, decode, store, settle, and again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use millrace_cache::data_versions::{DataVersions, Month};
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{Consumer, Delivery, PullSettings};
use millrace_messaging::dead_letters::DeadLetter;
use millrace_messaging::error::MessagingError;
use millrace_messaging::wire::{self, Decoded};
use millrace_messaging::{streams, subjects, trace};
use millrace_runtime::labels::CappedLabels;
use millrace_storage::append::{Appended, Appender, NewEvent};
use rand::Rng;
use rand::seq::SliceRandom;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::backoff::Backoff;
use crate::dead_letters::{self, UNKNOWN_PROJECT, UNREADABLE};
use crate::enrichment::Enricher;
use crate::observed::Observed;
use crate::settle::{Ending, settle};
use crate::store::{StoreError, store};
use crate::strict::Strict;
use crate::work::{Work, ended, extend, give_back, keep};

/// Deliveries after which a message is suspected of taking its workers with it. The others of its pull must not share
/// its fate.
const UNSUSPICIOUS: u64 = 3;

/// How long whoever has no turn waits before it asks again.
const TURN_WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(200);

/// What a pipeline works with.
#[derive(Debug)]
pub struct Pipeline {
    /// The log.
    pub broker: Broker,
    /// Where its messages come from.
    pub consumer: Consumer,
    /// How to join the consumer again, should it be gone.
    pub pull: PullSettings,
    /// How to create the streams again, should they be gone.
    pub streams: streams::StreamLimits,
    /// Where its events go.
    pub appender: Appender,
    /// What tells analytics that its answers are old.
    pub versions: DataVersions,
    /// What holds them against the schemas of their types.
    pub strict: Arc<Strict>,
    /// What adds to events.
    pub enricher: Enricher,
    /// What notices their properties.
    pub observed: Arc<Observed>,
    /// The event types that have a metric of their own.
    pub labels: Arc<CappedLabels>,
    /// When to stop.
    pub shutdown: CancellationToken,
}

impl Pipeline {
    /// Works until it is asked to stop; the batch in hand is finished first.
    ///
    /// # Errors
    /// Never: whatever fails is tried again.
    pub async fn run(mut self) -> Result<(), MessagingError> {
        let mut backoff = Backoff::default();
        self.shutdown.run_until_cancelled(self.strict.until_known()).await;
        while !self.shutdown.is_cancelled() {
            // Before the pull: messages in the hands of somebody who waits for a turn are of use to nobody, and by then
            // there are more of them to store at once.
            match self.appender.take_turn().await {
                Ok(true) => {}
                Ok(false) => {
                    let wait = rand::rng().random_range(TURN_WAIT);
                    self.sleep(wait).await;
                    continue;
                }
                Err(error) => {
                    self.pause(&mut backoff, "postgres", &error).await;
                    continue;
                }
            }
            // Not raced against the shutdown: dropping a pull would strand messages that are on their way.
            let progress = match self.consumer.pull().await {
                Ok(deliveries) if deliveries.is_empty() => Ok(()),
                Ok(deliveries) => self.take(deliveries).await,
                Err(error) => {
                    // Others may hear of the broker meanwhile. Should it fail, the turn has ended with the connection.
                    let _ = self.appender.end_turn().await;
                    self.rejoin().await;
                    Err(error)
                }
            };
            match progress {
                Ok(()) => backoff.reset(),
                Err(error) => self.pause(&mut backoff, "nats", &error).await,
            }
        }
        Ok(())
    }

    /// Suspects come last and each alone, in an order that is another every time: so whichever of them ends this
    /// process, the others are settled before it sooner or later.
    async fn take(&mut self, deliveries: Vec<Delivery>) -> Result<(), MessagingError> {
        let (mut suspects, batch): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| delivery.attempt > UNSUSPICIOUS);
        suspects.shuffle(&mut rand::rng());
        let mut groups = VecDeque::from([batch]);
        groups.extend(suspects.into_iter().map(|suspect| vec![suspect]));
        let every = self.pull.ack_wait / 3;
        let mut progress = Ok(());
        while let Some(group) = groups.pop_front() {
            let waiting: Vec<&Delivery> = groups.iter().flatten().collect();
            let processed = tokio::select! {
                processed = self.process(group) => processed,
                never = keep(&waiting, every) => match never {},
            };
            progress = progress.and(processed);
        }
        progress
    }

    async fn process(&mut self, deliveries: Vec<Delivery>) -> Result<(), MessagingError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let span = tracing::info_span!("batch", messages = deliveries.len());
        for origin in deliveries.iter().flat_map(trace::origins) {
            span.add_link(origin);
        }
        self.store(deliveries).instrument(span).await
    }

    async fn store(&mut self, deliveries: Vec<Delivery>) -> Result<(), MessagingError> {
        let started = Instant::now();
        let failing_since = Utc::now();
        let mut endings = Vec::new();
        let mut works = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match wire::decode(delivery.payload()) {
                Ok(decoded) if subjects::project_in(delivery.subject()) == Some(decoded.batch.project_id) => {
                    works.push(self.prepare(delivery, decoded));
                }
                Ok(Decoded { batch, invalid, .. }) => {
                    let detail = "the subject names another project".to_owned();
                    let events = batch.events.len() + invalid.len();
                    endings.push(Ending::whole(delivery, UNKNOWN_PROJECT, detail, events));
                }
                Err(error) => endings.push(Ending::whole(delivery, UNREADABLE, error.to_string(), 0)),
            }
        }
        let mut backoff = Backoff::default();
        let appended = loop {
            let in_hand = in_hand(&endings, &works);
            let events: Vec<NewEvent<'_>> = works.iter().flat_map(Work::events).collect();
            let stored = tokio::select! {
                stored = store(&mut self.appender, &events) => stored,
                never = keep(&in_hand, self.pull.ack_wait / 3) => match never {},
            };
            match stored {
                Ok(appended) => break appended,
                Err(StoreError::Hopeless { project, reason, detail }) => {
                    let (hopeless, others): (Vec<_>, Vec<_>) =
                        works.into_iter().partition(|work| work.decoded.batch.project_id == project);
                    works = others;
                    endings.extend(hopeless.into_iter().map(|Work { delivery, decoded, dead }| {
                        let events = decoded.batch.events.len() + dead.len();
                        Ending::whole(delivery, reason, detail.clone(), events)
                    }));
                }
                Err(error @ StoreError::Unavailable(_)) => {
                    if self.shutdown.is_cancelled() {
                        return give_back(&in_hand).await;
                    }
                    extend(&in_hand).await?;
                    self.pause(&mut backoff, "postgres", &error).await;
                    extend(&in_hand).await?;
                }
            }
        };
        if !works.is_empty() {
            self.announce(&works, &appended, started).await;
        }
        endings.extend(ended(works, &appended));
        let in_hand = in_hand(&endings, &[]);
        tokio::select! {
            settled = settle(&self.broker, &endings, failing_since) => settled,
            never = keep(&in_hand, self.pull.ack_wait / 3) => match never {},
        }
    }

    /// Takes out the events that will not be stored, and adds to the others what follows from them: a schema is about
    /// what was sent.
    fn prepare(&self, delivery: Delivery, mut decoded: Decoded) -> Work {
        let invalid = std::mem::take(&mut decoded.invalid).into_iter();
        let mut dead: Vec<DeadLetter> = invalid.map(dead_letters::invalid).collect();
        dead.extend(self.strict.set_aside(&mut decoded));
        for (event, source) in decoded.batch.events.iter_mut().zip(&decoded.sources) {
            self.enricher.enrich(event, source.as_deref());
        }
        Work { delivery, decoded, dead }
    }

    /// Counts what was stored, and says that there are more events, also when all of them were stored before: whoever
    /// stored them may have ended before it could say so. Nobody is told that they are stored before it is said.
    async fn announce(&self, works: &[Work], appended: &Appended, started: Instant) {
        let mut events = 0;
        let mut touched: BTreeMap<ProjectId, BTreeSet<Month>> = BTreeMap::new();
        for Work { decoded: Decoded { batch, .. }, .. } in works {
            events += batch.events.len();
            self.observed.notice(batch.project_id, &batch.events, Utc::now());
            let months = batch.events.iter().map(|event| Month::of(event.occurred_at));
            touched.entry(batch.project_id).or_default().extend(months);
        }
        metrics::histogram!("worker_batch_events").record(u32::try_from(events).unwrap_or(u32::MAX));
        metrics::histogram!("worker_batch_duration_seconds").record(started.elapsed());
        for (event_type, events) in &appended.by_type {
            let label = self.labels.label(event_type.as_str());
            metrics::counter!("events_ingested_total", "event_type" => label).increment(*events);
        }
        metrics::counter!("events_duplicate_total").increment(appended.duplicates);
        // Counted and logged where it fails; answers are kept for seconds only.
        let _ = self.versions.renew(&touched).await;
    }

    async fn pause(
        &self,
        backoff: &mut Backoff,
        dependency: &'static str,
        error: &(dyn std::fmt::Display + Sync),
    ) {
        let wait = backoff.pause();
        metrics::counter!("dependency_failures_total", "dependency" => dependency).increment(1);
        tracing::warn!(%error, dependency, ?wait, "trying again");
        self.sleep(wait).await;
    }

    /// Sleeps, but not into the shutdown.
    async fn sleep(&self, wait: Duration) {
        self.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
    }

    /// The broker may have come back without its disk.
    async fn rejoin(&mut self) {
        let joined = match streams::ensure(&self.broker, self.streams).await {
            Ok(()) => Consumer::of_events(&self.broker, self.pull).await,
            Err(error) => Err(error),
        };
        if let Ok(consumer) = joined {
            self.consumer = consumer;
        }
    }
}

fn in_hand<'a>(endings: &'a [Ending], works: &'a [Work]) -> Vec<&'a Delivery> {
    let ending = endings.iter().map(|ending| &ending.delivery);
    ending.chain(works.iter().map(|work| &work.delivery)).collect()
}
