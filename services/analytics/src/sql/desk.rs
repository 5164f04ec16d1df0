//! Where statements are asked: so many at once, of all projects and of each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain::ids::ProjectId;
use millrace_storage::sql::{SqlDesk, SqlLimits, Table, Ticket};
use millrace_storage::{error::StorageError, projects};
use tokio::sync::Semaphore;

use super::{Inadmissible, check};
use crate::errors::AnalyticsError;
use crate::state::State;
use crate::turns::Turns;

/// The bytes of an answer. It is put together here before a byte of it is sent, so that whatever fails is told as what it is.
pub const MAX_BYTES: usize = 8 << 20;
/// How long a statement waits for those of other projects.
const WAIT: Duration = Duration::from_secs(2);

/// How statements are asked. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    asker: SqlDesk,
    all: Arc<Semaphore>,
    connections: u32,
    turns: Turns,
    patience: Duration,
}

impl Desk {
    /// Asks with the login of `url`, over at most so many connections, at most so many of them for one project.
    ///
    /// # Errors
    /// When `url` is not an address of PostgreSQL.
    pub fn new(
        url: &str,
        connections: u32,
        per_project: u32,
        patience: Duration,
    ) -> Result<Self, StorageError> {
        let permits = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self {
            asker: SqlDesk::new(url)?,
            all: Arc::new(Semaphore::new(permits)),
            connections,
            turns: Turns::new(per_project),
            patience,
        })
    }

    /// Asks a statement of a project, and gives at most so many of its rows.
    ///
    /// # Errors
    /// When it is not one that a project may ask, there is no room for it, or PostgreSQL refuses it.
    pub async fn ask(
        &self,
        state: &State,
        project: ProjectId,
        sql: &str,
        rows: u32,
    ) -> Result<Table, AnalyticsError> {
        let statement = sql.to_owned();
        let checked = tokio::task::spawn_blocking(move || check(&statement)).await;
        let checked = checked.map_err(|_stopping| AnalyticsError::Cancelled)?;
        let _turn = self.turns.take(project).await?;
        let busy = || AnalyticsError::TooManyStatements(self.connections);
        let connection = tokio::time::timeout(WAIT, self.all.acquire()).await;
        let _connection = connection.map_err(|_elapsed| busy())?.map_err(|_never_closed| busy())?;
        if let Err(Inadmissible::Unreadable(_)) = checked {
            // PostgreSQL says best what is wrong with its language.
            self.asker.parse(sql, self.patience).await?;
        }
        let columns: Vec<String> = checked?.into_iter().collect();
        let started = Instant::now();
        let ticket = {
            let mut conn = state.database.connection().await?;
            projects::find(&mut conn, project).await?.ok_or(AnalyticsError::NoProject)?;
            Ticket::of(&mut conn, project).await?
        };
        let limits = SqlLimits { patience: self.patience, rows, bytes: MAX_BYTES };
        let table = self.asker.ask(&ticket, sql, &columns, limits).await?;
        metrics::histogram!("query_duration_seconds", "kind" => "sql", "source" => "raw")
            .record(started.elapsed());
        Ok(table)
    }
}
