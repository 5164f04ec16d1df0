//! What operators and members set for each project and services must know at once: small tables on the broker's disk,
//! which a service holds a copy of and is told of changes to. What was set outlives restarts, and the loss of Redis.

use std::collections::HashMap;
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_nats::jetstream::kv::{Config, Entry, Operation, Store};
use futures_util::{StreamExt, TryStreamExt};
use millrace_domain::ids::ProjectId;
use millrace_domain::origins::AllowedOrigins;
use millrace_domain::rate::Rate;
use tokio_util::sync::CancellationToken;

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// Room for about ten thousand projects. It is set aside on the broker's disk.
const MAX_BYTES: i64 = 1 << 20;
/// How long after a failure the table is asked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// How many events a second a project may send.
pub const EVENT_LIMITS: Table<Rate> =
    Table::new(subjects::EVENT_LIMITS_TABLE, "events a second that projects may send");
/// How many questions a second may be asked of a project, whoever asks.
pub const API_LIMITS: Table<Rate> =
    Table::new(subjects::API_LIMITS_TABLE, "questions a second that may be asked of projects");
/// The origins whose pages may send events of a project.
pub const EVENT_ORIGINS: Table<AllowedOrigins> =
    Table::new(subjects::EVENT_ORIGINS_TABLE, "origins whose pages may send events of projects");

/// What can be set: written as text, so that people can read it where it is kept.
pub trait Setting: FromStr + Display + Send + Sync + 'static {}
impl<V: FromStr + Display + Send + Sync + 'static> Setting for V {}

/// A table with a value for some projects.
#[derive(Debug)]
pub struct Table<V> {
    bucket: &'static str,
    description: &'static str,
    values: PhantomData<fn() -> V>,
}

impl<V> Clone for Table<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for Table<V> {}

impl<V> Table<V> {
    const fn new(bucket: &'static str, description: &'static str) -> Self {
        Self { bucket, description, values: PhantomData }
    }
}

impl<V: Setting> Table<V> {
    /// Sets what a project has, for all that run and all that will; `None`: nothing.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn set(
        self,
        broker: &Broker,
        project: ProjectId,
        value: Option<&V>,
    ) -> Result<(), MessagingError> {
        let table = self.open(broker).await?;
        let key = project.to_string();
        match value {
            Some(value) => {
                let put = table.put(key, value.to_string().into()).await;
                put.map(drop).map_err(MessagingError::unavailable)
            }
            None => table.purge(key).await.map_err(MessagingError::unavailable),
        }
    }

    /// What a project has.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn get(self, broker: &Broker, project: ProjectId) -> Result<Option<V>, MessagingError> {
        let table = self.open(broker).await?;
        let entry = table.entry(project.to_string()).await.map_err(MessagingError::unavailable)?;
        Ok(entry.as_ref().and_then(read).and_then(|(_project, value)| value))
    }

    /// The projects that have something, in the order of their ids.
    ///
    /// # Errors
    /// When the broker is away.
    pub async fn all(self, broker: &Broker) -> Result<Vec<(ProjectId, V)>, MessagingError> {
        let table = self.open(broker).await?;
        let keys = table.keys().await.map_err(MessagingError::unavailable)?;
        let mut keys: Vec<String> = keys.try_collect().await.map_err(MessagingError::unavailable)?;
        keys.sort();
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let entry = table.entry(key).await.map_err(MessagingError::unavailable)?;
            if let Some((project, Some(value))) = entry.as_ref().and_then(read) {
                values.push((project, value));
            }
        }
        Ok(values)
    }

    /// The table as it is, or a new one.
    async fn open(self, broker: &Broker) -> Result<Store, MessagingError> {
        match broker.jetstream.get_key_value(self.bucket).await {
            Ok(table) => Ok(table),
            Err(_not_there_yet) => self.create(broker, 1).await,
        }
    }

    async fn create(self, broker: &Broker, replicas: usize) -> Result<Store, MessagingError> {
        let config = Config {
            bucket: self.bucket.to_owned(),
            description: self.description.to_owned(),
            history: 1,
            max_bytes: MAX_BYTES,
            num_replicas: replicas,
            ..Config::default()
        };
        broker.jetstream.create_or_update_key_value(config).await.map_err(MessagingError::unavailable)
    }
}

/// A copy of a table. Cheap to clone.
#[derive(Debug)]
pub struct TableCopy<V> {
    table: Table<V>,
    broker: Broker,
    replicas: usize,
    known: Arc<RwLock<HashMap<ProjectId, Arc<V>>>>,
}

impl<V> Clone for TableCopy<V> {
    fn clone(&self) -> Self {
        let Self { table, broker, replicas, known } = self;
        Self { table: *table, broker: broker.clone(), replicas: *replicas, known: Arc::clone(known) }
    }
}

impl<V: Setting> TableCopy<V> {
    /// An empty copy. `replicas`: how many brokers of a cluster keep the table.
    #[must_use]
    pub fn new(table: Table<V>, broker: Broker, replicas: usize) -> Self {
        Self { table, broker, replicas, known: Arc::default() }
    }

    /// What is known of a project.
    #[must_use]
    pub fn of(&self, project: ProjectId) -> Option<Arc<V>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned()
    }

    /// Keeps the copy up to date until `shutdown`. With the broker away it stays as it is.
    ///
    /// # Errors
    /// Never: it tries again.
    pub async fn listen(self, shutdown: CancellationToken) -> Result<(), MessagingError> {
        let follow = async {
            loop {
                if let Err(error) = self.follow().await {
                    let table = self.table.bucket;
                    tracing::warn!(%error, table, "what projects have stays as it is for {PAUSE:?}");
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        let () = shutdown.run_until_cancelled(follow).await.unwrap_or_default();
        Ok(())
    }

    async fn follow(&self) -> Result<(), MessagingError> {
        let table = self.table.create(&self.broker, self.replicas).await?;
        let mut changes = table.watch_with_history(">").await.map_err(MessagingError::unavailable)?;
        while let Some(change) = changes.next().await {
            self.learn(&change.map_err(MessagingError::unavailable)?);
        }
        Err(MessagingError::Unavailable("the table has no more changes".to_owned()))
    }

    fn learn(&self, entry: &Entry) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match read(entry) {
            Some((project, Some(value))) => drop(known.insert(project, Arc::new(value))),
            Some((project, None)) => drop(known.remove(&project)),
            None => {
                tracing::warn!(table = self.table.bucket, key = entry.key, "this is nothing of a project")
            }
        }
    }
}

fn read<V: FromStr>(entry: &Entry) -> Option<(ProjectId, Option<V>)> {
    let project = entry.key.parse().ok()?;
    if entry.operation != Operation::Put {
        return Some((project, None));
    }
    let value = str::from_utf8(&entry.value).ok()?.parse().ok()?;
    Some((project, Some(value)))
}
