use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use millrace_storage::{migrations, sql};

use super::say;

/// Bring the database's schema up to date
///
/// Prints the migrations that were applied. Two at once do not race; one that fails leaves those
/// before it applied. Provides the login for SQL, if one is named.
#[derive(Args)]
pub(super) struct MigrateArgs {
    /// How much time one chunk of events covers, for chunks that do not exist yet
    #[arg(long, env = "MILLRACE_CHUNK_INTERVAL", default_value = "7d")]
    chunk_interval: humantime::Duration,
    /// The login that asks what projects ask in SQL; it is made, or given this password, and sees nothing else
    #[arg(long, env = "ANALYTICS_SQL_DATABASE_URL", hide_env_values = true)]
    sql_database_url: Option<String>,
}

pub(super) async fn execute(url: &str, args: &MigrateArgs) -> anyhow::Result<()> {
    let interval: Duration = args.chunk_interval.into();
    ensure!(interval >= Duration::from_secs(3600), "--chunk-interval must be at least 1h");
    let applied = migrations::apply(url, interval).await?;
    for name in &applied {
        say(format_args!("applied {name}"))?;
    }
    if applied.is_empty() {
        say("the schema is up to date")?;
    }
    // An empty variable is none, as for the services.
    if let Some(login) = args.sql_database_url.as_deref().filter(|url| !url.is_empty()) {
        sql::provide_login(url, login).await.context("the login for SQL")?;
        say("the login for SQL is provided")?;
    }
    Ok(())
}
