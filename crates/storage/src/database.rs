//! The pool of diesel connections.

use std::time::Duration;

use deadpool::managed::{QueueMode, Timeouts};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;

use crate::error::StorageError;

/// Lets one transaction change as many compressed rows as it has to. With TimescaleDB's limit (100,000) a late event of a
/// compressed chunk could be refused however often it is tried. Where there is no such setting, nothing happens.
pub(crate) const DECOMPRESS_ALL: &str = "SELECT set_config(name, '0', false) FROM pg_settings \
    WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction'";

/// A connection on loan from the pool.
pub type Connection = Object<AsyncPgConnection>;

/// How a service uses the database.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// Shown in `pg_stat_activity`.
    pub application_name: &'static str,
    /// Too low and requests wait for each other; too high and replicas together exhaust `max_connections`.
    pub max_connections: usize,
    /// How long to wait for a free connection, and for a new one to be made.
    pub wait: Duration,
    /// The server ends any statement that takes longer.
    pub statement_timeout: Duration,
}

impl PoolSettings {
    /// Settings for a service under this name.
    #[must_use]
    pub fn named(application_name: &'static str) -> Self {
        Self {
            application_name,
            max_connections: 8,
            wait: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(15),
        }
    }
}

/// The database. Cheap to clone.
#[derive(Clone)]
pub struct Database {
    pool: Pool<AsyncPgConnection>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("pool", &self.pool.status()).finish()
    }
}

impl Database {
    /// A pool that connects when it is first asked.
    ///
    /// # Errors
    /// When the settings cannot be used.
    pub fn new(url: &str, settings: PoolSettings) -> Result<Self, StorageError> {
        let mut manager = ManagerConfig::default();
        manager.custom_setup = Box::new(move |url| {
            async move {
                let mut connection = AsyncPgConnection::establish(url).await?;
                let session = format!(
                    "SET application_name = 'millrace-{}'; SET statement_timeout = {}; SET TIME ZONE 'UTC';
                     {DECOMPRESS_ALL}",
                    settings.application_name,
                    settings.statement_timeout.as_millis()
                );
                connection
                    .batch_execute(&session)
                    .await
                    .map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
                Ok(connection)
            }
            .boxed()
        });
        let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config(url, manager);
        let pool = Pool::builder(manager)
            .max_size(settings.max_connections)
            // The one that was used last: a server's process has to look up tables and plan statements for itself, and one
            // that has not done so yet takes several times as long.
            .queue_mode(QueueMode::Lifo)
            .wait_timeout(Some(settings.wait))
            .create_timeout(Some(settings.wait))
            .recycle_timeout(Some(settings.wait))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|e| StorageError::Failed(e.to_string()))?;
        Ok(Self { pool })
    }

    /// A connection, waiting for one if all are in use.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] when there is none in time.
    pub async fn connection(&self) -> Result<Connection, StorageError> {
        let status = self.pool.status();
        metrics::gauge!("database_pool_connections").set(u32::try_from(status.size).unwrap_or(u32::MAX));
        metrics::gauge!("database_pool_waiting").set(u32::try_from(status.waiting).unwrap_or(u32::MAX));
        Ok(self.pool.get().await?)
    }

    /// A connection for whoever has one already, if more than half of them are free: whoever holds one must not wait for
    /// another, nor take the last.
    pub async fn spare_connection(&self) -> Option<Connection> {
        let status = self.pool.status();
        let used = status.size.saturating_sub(status.available);
        if 2 * (used + 1) > status.max_size {
            return None;
        }
        let at_once = Timeouts { wait: Some(Duration::ZERO), ..self.pool.timeouts() };
        self.pool.timeout_get(&at_once).await.ok()
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StorageError> {
        self.connection().await?.batch_execute("SELECT 1").await.map_err(Into::into)
    }
}
