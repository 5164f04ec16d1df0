use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use millrace_storage::migrations;

use super::say;

/// Bring the database's schema up to date
///
/// Prints the migrations that were applied. Two at once do not race; one that fails leaves those
/// before it applied.
#[derive(Args)]
pub(super) struct MigrateArgs {
    /// How much time one chunk of events covers, for chunks that do not exist yet
    #[arg(long, env = "MILLRACE_CHUNK_INTERVAL", default_value = "7d")]
    chunk_interval: humantime::Duration,
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
    Ok(())
}
