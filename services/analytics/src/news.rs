//! Telling whoever looks at the project what has happened.

use std::time::Duration;

use futures_util::future::join_all;
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::Notification;
use millrace_messaging::error::MessagingError;
use millrace_messaging::notifications::notify;

use crate::state::State;

/// How long a request waits for the broker.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells several things.
pub async fn tell_all(
    state: &State,
    project: ProjectId,
    notifications: impl IntoIterator<Item = Notification>,
) {
    join_all(notifications.into_iter().map(|news| tell(state, project, news))).await;
}

/// Tells it. When this returns, it is kept for those who were not there, unless the broker is away: what was to be told
/// has happened all the same, so that fails nobody.
pub async fn tell(state: &State, project: ProjectId, notification: Notification) {
    let late = |_elapsed| Err(MessagingError::Unavailable(format!("no answer in {PATIENCE:?}")));
    let told = tokio::time::timeout(PATIENCE, notify(&state.broker, project, &notification)).await;
    if let Err(error) = told.unwrap_or_else(late) {
        metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
        tracing::warn!(%error, kind = notification.kind.as_str(), "nobody was told");
    }
}
