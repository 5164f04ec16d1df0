//! One moment of the database, for answers that are put together from several reads.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection, TransactionManager,
};

use crate::database::Connection;
use crate::error::StorageError;

/// A connection on which every read sees the same commits: counts and the users that made them fit each other,
/// whatever workers and the compactor do meanwhile. Nothing can be written through it, so a replica will do.
pub struct Snapshot(Connection);

impl Snapshot {
    /// Looks at the database as it is at the first read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(mut connection: Connection) -> Result<Self, StorageError> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        AnsiTransactionManager::begin_transaction_sql(&mut *connection, begin).await?;
        Ok(Self(connection))
    }

    /// The same moment on another connection, to read more at once. It must be let go of before this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn share(&mut self, connection: Connection) -> Result<Self, StorageError> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Text)]
            name: String,
        }
        let exported = diesel::sql_query("SELECT pg_export_snapshot() AS name");
        let Row { name } = exported.get_result(&mut *self.0).await?;
        let mut other = Self::open(connection).await?;
        match other.batch_execute(&format!("SET TRANSACTION SNAPSHOT '{name}'")).await {
            Ok(()) => Ok(other),
            Err(error) => {
                other.close().await?;
                Err(error.into())
            }
        }
    }

    /// Gives statements from here on at most this long, in place of the session's `statement_timeout`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn limit(&mut self, time: Duration) -> Result<(), StorageError> {
        // To PostgreSQL, 0 is no limit.
        let limit = format!("SET LOCAL statement_timeout = {}", time.as_millis().max(1));
        Ok(self.0.batch_execute(&limit).await?)
    }

    /// Lets go of the moment and gives the connection back. Must be called after a failed read, too: a snapshot that
    /// is merely dropped goes on holding back the removal of dead rows until the pool looks at its connection again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(mut self) -> Result<(), StorageError> {
        Ok(AnsiTransactionManager::rollback_transaction(&mut *self.0).await?)
    }
}

impl Deref for Snapshot {
    type Target = AsyncPgConnection;

    fn deref(&self) -> &AsyncPgConnection {
        &self.0
    }
}

impl DerefMut for Snapshot {
    fn deref_mut(&mut self) -> &mut AsyncPgConnection {
        &mut self.0
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}
