//! Telling the other services to forget what they remember of somebody's rights.

use std::time::Duration;

use millrace_messaging::error::MessagingError;
use millrace_messaging::revocations::{self, Revoked};

use crate::state::State;

/// A request does not wait longer than this for the broker.
const PATIENCE: Duration = Duration::from_secs(2);

/// Announces what is committed already. With the broker away it stays true, and the others find out when what they
/// remember expires; that is counted and logged, and no reason to fail the request.
pub async fn announce(state: &State, revoked: Revoked) {
    let sent = tokio::time::timeout(PATIENCE, revocations::announce(&state.broker, &revoked)).await;
    let sent = sent
        .unwrap_or_else(|_elapsed| Err(MessagingError::Unavailable(format!("no answer in {PATIENCE:?}"))));
    if let Err(error) = sent {
        metrics::counter!("auth_announcements_failed_total").increment(1);
        tracing::warn!(%error, ?revoked, "other services will notice only when what they remember expires");
    }
}
