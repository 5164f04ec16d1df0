//! Bringing the schema up to date. The migrations are compiled in, so a binary always carries the ones it needs.

use std::time::Duration;

use diesel::migration::MigrationSource;
use diesel::pg::Pg;
use diesel_async::{AsyncConnection, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::StorageError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// Applies what is missing and returns the names of what was applied. `chunk_interval` is the width of the event
/// chunks that do not exist yet.
///
/// Must run on a multi-threaded runtime: the harness blocks its thread.
///
/// # Errors
/// When the database is away or refuses a migration; the ones before it stay applied.
pub async fn apply(url: &str, chunk_interval: Duration) -> Result<Vec<String>, StorageError> {
    let mut connection = connect(url).await?;
    // Two deployments at once must not race; the lock goes with the connection.
    diesel::sql_query("SELECT pg_advisory_lock(7205759403792793600)").execute(&mut connection).await?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let applied = harness.run_pending_migrations(MIGRATIONS).map_err(failed)?;
    let names = applied.iter().map(ToString::to_string).collect();
    let mut connection = harness.into_inner();
    diesel::sql_query("SELECT set_chunk_time_interval('events', make_interval(secs => $1))")
        .bind::<diesel::sql_types::Double, _>(chunk_interval.as_secs_f64())
        .execute(&mut connection)
        .await?;
    Ok(names)
}

/// Takes everything back. For tests: an operator restores a backup instead.
///
/// # Errors
/// When the database is away or a `down.sql` fails.
pub async fn revert_all(url: &str) -> Result<(), StorageError> {
    let mut harness = AsyncMigrationHarness::new(connect(url).await?);
    harness.revert_all_migrations(MIGRATIONS).map_err(failed)?;
    Ok(())
}

/// The names of the migrations this binary expects and the database lacks.
///
/// # Errors
/// When the database is away.
pub async fn pending(url: &str) -> Result<Vec<String>, StorageError> {
    let mut harness = AsyncMigrationHarness::new(connect(url).await?);
    let applied = harness.applied_migrations().map_err(failed)?;
    let known = MigrationSource::<Pg>::migrations(&MIGRATIONS).map_err(failed)?;
    Ok(known
        .iter()
        .map(|migration| migration.name())
        .filter(|name| !applied.contains(&name.version()))
        .map(ToString::to_string)
        .collect())
}

/// Changes with the SQL of the migrations this binary carries.
#[must_use]
pub fn fingerprint() -> &'static str {
    env!("MILLRACE_MIGRATIONS_HASH")
}

async fn connect(url: &str) -> Result<AsyncPgConnection, StorageError> {
    AsyncPgConnection::establish(url).await.map_err(|e| StorageError::Unavailable(e.to_string()))
}

fn failed(error: impl std::fmt::Display) -> StorageError {
    StorageError::Failed(error.to_string())
}
