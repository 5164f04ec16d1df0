//! Noticing that other keys sign.

use std::time::Duration;

use millrace_messaging::error::MessagingError;
use millrace_messaging::revocations::{self, Revoked};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::announcements::announce;
use crate::state::State;

/// How often the keys are looked at without being told. A new one begins to sign minutes after it is published, so
/// that every replica knows it by then even if the broadcast was lost.
const INTERVAL: Duration = Duration::from_secs(60);

/// Takes the signing keys from the database whenever they change, until `shutdown`.
///
/// # Errors
/// When the broker ends the subscription.
pub async fn follow(state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let changed = Notify::new();
    let listening = revocations::listen(&state.broker, shutdown.clone(), |heard| {
        if matches!(heard, None | Some(Revoked::SigningKeys)) {
            changed.notify_one();
        }
    });
    let reloading = async {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = changed.notified() => {}
                () = tokio::time::sleep(INTERVAL) => {}
            }
            reload(&state).await;
        }
    };
    tokio::try_join!(listening, reloading).map(drop)
}

async fn reload(state: &State) {
    match state.tokens.reload(&state.database).await {
        // Another service may have asked about a token after it heard of the change, and before we did.
        Ok(true) => announce(state, Revoked::SigningKeys).await,
        Ok(false) => {}
        Err(error) => {
            metrics::counter!("auth_key_reloads_failed_total").increment(1);
            tracing::warn!(%error, "the signing keys stay what they were");
        }
    }
}
