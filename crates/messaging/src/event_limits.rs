//! How many events a second each project may send: a small table on the broker's disk, which every ingest holds a copy of
//! and is told of changes to. What an operator has set outlives restarts, and the loss of Redis.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_nats::jetstream::kv::{Config, Entry, Operation, Store};
use futures_util::{StreamExt, TryStreamExt};
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::{Limit, Rate};
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// Room for about ten thousand projects. It is set aside on the broker's disk.
const MAX_BYTES: i64 = 1 << 20;
/// How long after a failure the table is asked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// A copy of the table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EventLimits {
    broker: Broker,
    replicas: usize,
    known: Arc<RwLock<HashMap<ProjectId, Rate>>>,
}

impl EventLimits {
    /// An empty copy. `replicas`: how many brokers of a cluster keep the table.
    #[must_use]
    pub fn new(broker: Broker, replicas: usize) -> Self {
        Self { broker, replicas, known: Arc::default() }
    }

    /// What is known of a project; `None`: as many as it likes.
    #[must_use]
    pub fn of(&self, project: ProjectId) -> Option<Rate> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&project).copied()
    }

    /// Keeps the copy up to date until `shutdown`. With the broker away it stays as it is.
    ///
    /// # Errors
    /// Never: it tries again.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        let follow = async {
            loop {
                if let Err(error) = self.follow().await {
                    tracing::warn!(%error, "the limits of projects stay as they are for {PAUSE:?}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let () = shutdown.run_until_cancelled(follow).await.unwrap_or_default();
        Ok(())
    }

    async fn follow(&self) -> Result<(), MessagingError> {
        let table = create(&self.broker, self.replicas).await?;
        let mut changes = table.watch_with_history(">").await.map_err(MessagingError::unavailable)?;
        while let Some(change) = changes.next().await {
            self.learn(&change.map_err(MessagingError::unavailable)?);
        }
        Err(MessagingError::Unavailable("the table of limits has no more changes".to_owned()))
    }

    fn learn(&self, entry: &Entry) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match read(entry) {
            Some((project, Some(rate))) => drop(known.insert(project, rate)),
            Some((project, None)) => drop(known.remove(&project)),
            None => tracing::warn!(key = entry.key, "this is no limit of a project"),
        }
    }
}

/// Sets a project's limit, for all that run and all that will.
///
/// # Errors
/// When the broker is away.
pub async fn set(broker: &Broker, project: ProjectId, limit: Limit) -> Result<(), MessagingError> {
    let table = open(broker).await?;
    let key = project.to_string();
    match limit.0 {
        Some(rate) => {
            let put = table.put(key, rate.to_string().into()).await;
            put.map(drop).map_err(MessagingError::unavailable)
        }
        None => table.purge(key).await.map_err(MessagingError::unavailable),
    }
}

/// The projects that have one, in the order of their ids.
///
/// # Errors
/// When the broker is away.
pub async fn all(broker: &Broker) -> Result<Vec<(ProjectId, Rate)>, MessagingError> {
    let table = open(broker).await?;
    let keys = table.keys().await.map_err(MessagingError::unavailable)?;
    let mut keys: Vec<String> = keys.try_collect().await.map_err(MessagingError::unavailable)?;
    keys.sort();
    let mut limits = Vec::with_capacity(keys.len());
    for key in keys {
        let entry = table.entry(key).await.map_err(MessagingError::unavailable)?;
        if let Some((project, Some(rate))) = entry.as_ref().and_then(read) {
            limits.push((project, rate));
        }
    }
    Ok(limits)
}

/// The table as it is, or a new one.
async fn open(broker: &Broker) -> Result<Store, MessagingError> {
    match broker.jetstream.get_key_value(subjects::EVENT_LIMITS_TABLE).await {
        Ok(table) => Ok(table),
        Err(_not_there_yet) => create(broker, 1).await,
    }
}

async fn create(broker: &Broker, replicas: usize) -> Result<Store, MessagingError> {
    let config = Config {
        bucket: subjects::EVENT_LIMITS_TABLE.to_owned(),
        description: "events a second that projects may send".to_owned(),
        history: 1,
        max_bytes: MAX_BYTES,
        num_replicas: replicas,
        ..Config::default()
    };
    broker.jetstream.create_or_update_key_value(config).await.map_err(MessagingError::unavailable)
}

fn read(entry: &Entry) -> Option<(ProjectId, Option<Rate>)> {
    let project = entry.key.parse().ok()?;
    if entry.operation != Operation::Put {
        return Some((project, None));
    }
    let rate = str::from_utf8(&entry.value).ok()?.parse().ok()?;
    Some((project, Some(rate)))
}
