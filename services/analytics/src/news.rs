//! Telling whoever looks at the project what has happened.

use millrace_domain::ids::ProjectId;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications::notify;

use crate::state::State;

/// Tells it. What was to be told has happened all the same, so a broker that is away fails nobody.
pub async fn tell(state: &State, project: ProjectId, notification: Notification) {
    if let Err(error) = notify(&state.broker, project, &notification).await {
        metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
        tracing::warn!(%error, kind = notification.kind.as_str(), "nobody was told");
    }
}
