//! Telling everybody to forget what they remember of somebody's rights: the broker broadcasts it at once, and a number
//! in Redis tells those whom the broadcast does not reach.

use std::time::Duration;

use millrace_messaging::error::MessagingError;
use millrace_messaging::revocations::{self, Revoked};
use tokio_util::sync::CancellationToken;

use crate::state::State;

/// A request does not wait longer than this for the broker.
const PATIENCE: Duration = Duration::from_secs(2);

/// Announces what is committed already. With broker and Redis away it stays true, and the others find out when either
/// is back; that is counted and logged, and no reason to fail the request.
pub async fn announce(state: &State, revoked: Revoked) {
    state.known_tokens.forget();
    let broadcast = async {
        let sent = tokio::time::timeout(PATIENCE, revocations::announce(&state.broker, &revoked)).await;
        sent.unwrap_or_else(|_elapsed| Err(MessagingError::Unavailable(format!("no answer in {PATIENCE:?}"))))
    };
    let (broadcast, counted) = tokio::join!(broadcast, state.revocations.grow());
    if let Err(error) = broadcast {
        metrics::counter!("auth_announcements_failed_total", "by" => "broker").increment(1);
        tracing::warn!(%error, ?revoked, "other services will notice by Redis or when the broker is back");
    }
    if let Err(error) = counted {
        metrics::counter!("auth_announcements_failed_total", "by" => "redis").increment(1);
        tracing::warn!(%error, ?revoked, "services that the broker does not reach will notice late");
    }
}

/// Forgets what this process remembers when a replica announces something, until `shutdown`.
///
/// # Errors
/// When the broker ends the subscription.
pub async fn follow(state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let forget = || state.known_tokens.forget();
    let counted = state.revocations.clone().watch(shutdown.clone(), forget);
    let broadcast = revocations::listen(&state.broker, shutdown, |_anything| forget());
    let (broadcast, Ok(())) = tokio::join!(broadcast, counted);
    broadcast
}
