use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use millrace_cache::revocations::RevocationCount;
use millrace_messaging::broker::Broker;
use millrace_messaging::revocations::{self, Revoked};

use super::{Desk, note};

/// How long the broker may take to hear of it.
pub(super) const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

/// How the running services hear of what was taken away: one way is enough.
#[derive(Args)]
pub(super) struct Announcement {
    /// Redis, to tell them within a second
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis_url: Option<String>,
}

impl Announcement {
    /// Where the running services count.
    pub(super) fn redis_url(&self) -> Option<&str> {
        self.redis_url.as_deref()
    }

    /// Tells them what is done already. Exit code 1 when they could not be told.
    pub(super) async fn make(&self, desk: &Desk, revoked: &Revoked) -> ExitCode {
        let mut told = Vec::new();
        if let Some(url) = &desk.nats_url {
            let late = |_elapsed| Err(anyhow::anyhow!("no answer in {BROKER_TIMEOUT:?}"));
            let broadcast = tokio::time::timeout(BROKER_TIMEOUT, broadcast(url, revoked));
            told.push(("the broker", broadcast.await.unwrap_or_else(late)));
        }
        if let Some(url) = &self.redis_url {
            told.push(("Redis", count(url).await));
        }
        if told.is_empty() {
            note("NATS_URL and REDIS_URL are not set: running services notice within half a minute");
            return ExitCode::SUCCESS;
        }
        for (way, outcome) in &told {
            if let Err(error) = outcome {
                note(format_args!("running services could not be told through {way}: {error}"));
            }
        }
        if told.iter().any(|(_, outcome)| outcome.is_ok()) {
            return ExitCode::SUCCESS;
        }
        note("running services notice within half a minute");
        ExitCode::from(1)
    }
}

async fn broadcast(nats_url: &str, revoked: &Revoked) -> anyhow::Result<()> {
    let broker = Broker::connect(nats_url, "admin", BROKER_TIMEOUT).await?;
    revocations::announce(&broker, revoked).await?;
    broker.close().await;
    Ok(())
}

async fn count(redis_url: &str) -> anyhow::Result<()> {
    Ok(RevocationCount::new(redis_url)?.grow().await?)
}
