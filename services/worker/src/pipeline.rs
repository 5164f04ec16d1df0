//! One line of work: pull, decode, store, settle, and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use millrace_cache::data_versions::{DataVersions, Month};
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{Consumer, Delivery, PullSettings};
use millrace_messaging::dead_letters::{DeadLetter, Lineage};
use millrace_messaging::error::MessagingError;
use millrace_messaging::stored::Stored;
use millrace_messaging::wire::{self, Decoded};
use millrace_messaging::{streams, subjects, trace};
use millrace_runtime::labels::CappedLabels;
use millrace_storage::append::{Appended, Appender, NewEvent};
use rand::seq::SliceRandom;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::backoff::Backoff;
use crate::dead_letters::{self, REFUSED, UNKNOWN_PROJECT, UNREADABLE};
use crate::enrichment::Enricher;
use crate::observed::Observed;
use crate::settle::settle;
use crate::store::{StoreError, store};
use crate::strict::Strict;
use crate::work::{Work, extend, give_back, keep};

/// Deliveries after which a message is suspected of taking its workers with it. The others of its pull must not share
/// its fate.
const UNSUSPICIOUS: u64 = 3;

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
            // Not raced against the shutdown: dropping a pull would strand messages that are on their way.
            let progress = match self.consumer.pull().await {
                Ok(deliveries) if deliveries.is_empty() => Ok(()),
                Ok(deliveries) => self.take(deliveries).await,
                Err(error) => {
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
        if !batch.is_empty() {
            self.process(batch).await?;
        }
        for suspect in suspects {
            self.process(vec![suspect]).await?;
        }
        Ok(())
    }

    async fn process(&mut self, deliveries: Vec<Delivery>) -> Result<(), MessagingError> {
        let span = tracing::info_span!("batch", messages = deliveries.len());
        for origin in deliveries.iter().flat_map(trace::origins) {
            span.add_link(origin);
        }
        self.store(deliveries).instrument(span).await
    }

    async fn store(&mut self, deliveries: Vec<Delivery>) -> Result<(), MessagingError> {
        let started = Instant::now();
        let failing_since = Utc::now();
        let mut works = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match wire::decode(delivery.payload()) {
                Ok(decoded) if subjects::project_in(delivery.subject()) == Some(decoded.batch.project_id) => {
                    works.push(self.prepare(delivery, decoded));
                }
                Ok(_) => {
                    let detail = "the subject names another project".to_owned();
                    self.discard(&delivery, UNKNOWN_PROJECT, detail, failing_since).await?;
                }
                Err(error) => self.discard(&delivery, UNREADABLE, error.to_string(), failing_since).await?,
            }
        }
        let mut backoff = Backoff::default();
        while !works.is_empty() {
            let events: Vec<NewEvent<'_>> = works.iter().flat_map(Work::events).collect();
            let stored = tokio::select! {
                stored = store(&mut self.appender, &events) => stored,
                never = keep(&works, self.pull.ack_wait / 3) => match never {},
            };
            match stored {
                Ok(appended) => {
                    metrics::histogram!("worker_batch_events")
                        .record(u32::try_from(events.len()).unwrap_or(u32::MAX));
                    metrics::histogram!("worker_batch_duration_seconds").record(started.elapsed());
                    for Work { decoded: Decoded { batch, .. }, .. } in &works {
                        self.observed.notice(batch.project_id, &batch.events, Utc::now());
                    }
                    self.renew_versions(&works).await;
                    return self.finish(&works, appended, failing_since).await;
                }
                Err(StoreError::UnknownProject(project)) => {
                    let (unknown, known): (Vec<_>, Vec<_>) =
                        works.into_iter().partition(|work| work.decoded.batch.project_id == project);
                    for work in unknown {
                        self.discard(
                            &work.delivery,
                            UNKNOWN_PROJECT,
                            format!("project {project} does not exist"),
                            failing_since,
                        )
                        .await?;
                    }
                    works = known;
                }
                Err(error @ StoreError::Unavailable(_)) => {
                    if self.shutdown.is_cancelled() {
                        return give_back(&works).await;
                    }
                    extend(&works).await?;
                    self.pause(&mut backoff, "postgres", &error).await;
                    extend(&works).await?;
                }
            }
        }
        Ok(())
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

    /// Says that there are more events, also when all of them were stored before: whoever stored them may have ended
    /// before it could say so. Nobody is told that they are stored before it is said.
    async fn renew_versions(&self, works: &[Work]) {
        let mut touched: BTreeMap<ProjectId, BTreeSet<Month>> = BTreeMap::new();
        for Work { decoded: Decoded { batch, .. }, .. } in works {
            let months = batch.events.iter().map(|event| Month::of(event.occurred_at));
            touched.entry(batch.project_id).or_default().extend(months);
        }
        // Counted and logged where it fails; answers are kept for seconds only.
        let _ = self.versions.renew(&touched).await;
    }

    /// Puts away what cannot be stored, then takes the messages out of the log.
    async fn finish(
        &self,
        works: &[Work],
        appended: Appended,
        failing_since: DateTime<Utc>,
    ) -> Result<(), MessagingError> {
        let mut dead: BTreeMap<u64, u64> = BTreeMap::new();
        let places: Vec<(&Work, usize)> = works
            .iter()
            .flat_map(|work| (0..work.decoded.batch.events.len()).map(move |index| (work, index)))
            .collect();
        for refusal in &appended.refused {
            let Some((work, index)) = places.get(refusal.place) else { continue };
            let source = work.decoded.sources.get(*index).cloned().flatten();
            if let Some(payload) = dead_letters::alone(&work.decoded.batch, *index, source.as_deref()) {
                let letter = DeadLetter { payload, reason: REFUSED, detail: refusal.words.clone(), source };
                dead_letters::put(&self.broker, Lineage::of(&work.delivery, failing_since), letter).await?;
                *dead.entry(work.delivery.stream_seq).or_default() += 1;
            }
        }
        for work in works {
            for letter in &work.dead {
                let from = Lineage::of(&work.delivery, failing_since);
                dead_letters::put(&self.broker, from, letter.clone()).await?;
                *dead.entry(work.delivery.stream_seq).or_default() += 1;
            }
        }
        for (event_type, events) in &appended.by_type {
            let label = self.labels.label(event_type.as_str());
            metrics::counter!("events_ingested_total", "event_type" => label).increment(*events);
        }
        metrics::counter!("events_duplicate_total").increment(appended.duplicates);
        for work in works {
            let seq = work.delivery.stream_seq;
            let stored = appended.by_message.get(&seq).copied().unwrap_or_default();
            let dead = dead.get(&seq).copied().unwrap_or_default();
            let sent = work.decoded.batch.events.len() + work.dead.len();
            let duplicates = u64::try_from(sent).unwrap_or(u64::MAX).saturating_sub(stored + dead);
            settle(&self.broker, &work.delivery, Stored { stored, duplicates, dead }).await?;
        }
        Ok(())
    }

    /// A whole message goes to the dead letters.
    async fn discard(
        &self,
        delivery: &Delivery,
        reason: &'static str,
        detail: String,
        failing_since: DateTime<Utc>,
    ) -> Result<(), MessagingError> {
        let payload = wire::without_addresses(delivery.payload());
        let letter = DeadLetter { payload, reason, detail, source: None };
        dead_letters::put(&self.broker, Lineage::of(delivery, failing_since), letter).await?;
        settle(&self.broker, delivery, Stored::default()).await
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
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = self.shutdown.cancelled() => {}
        }
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
