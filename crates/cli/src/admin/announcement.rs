//! How the running services hear of what was taken away.

use std::process::ExitCode;
use std::time::Duration;

use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::revocations::{self, Revoked};

use super::{Desk, note};

/// How long the broker may take to hear of it.
pub(super) const BROKER_TIMEOUT: Duration = Duration::from_secs(5);

impl Desk {
    /// Tells them what is done already. Exit code 1 when they could not be told.
    pub(super) async fn announce(&self, revoked: &Revoked) -> ExitCode {
        let Some(url) = &self.nats_url else {
            note("NATS_URL is not set: running services notice within half a minute");
            return ExitCode::SUCCESS;
        };
        let late = |_elapsed| Err(MessagingError::Unavailable(format!("no answer in {BROKER_TIMEOUT:?}")));
        let told = tokio::time::timeout(BROKER_TIMEOUT, tell(url, revoked)).await.unwrap_or_else(late);
        if let Err(error) = told {
            note(format_args!("running services could not be told and notice within half a minute: {error}"));
            return ExitCode::from(1);
        }
        ExitCode::SUCCESS
    }
}

async fn tell(nats_url: &str, revoked: &Revoked) -> Result<(), MessagingError> {
    let broker = Broker::connect(nats_url, "admin", BROKER_TIMEOUT).await?;
    revocations::announce(&broker, revoked).await?;
    broker.close().await;
    Ok(())
}
