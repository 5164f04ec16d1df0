//! Telling the audit log what was done, before the answer.
//!
//! An event goes to the broker, which has it on disk when it acknowledges; [`intake`] appends it. If the broker does
//! not acknowledge, the event is appended here, with the same id, so that it is one entry even if it went both ways.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use chrono::Utc;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Origin, SecurityEvent, Target};
use millrace_domain::ids::AccountId;
use millrace_domain::text::ShortText;
use millrace_http::request_id::RequestId;
use millrace_messaging::audit::publish;
use millrace_messaging::error::MessagingError;
use millrace_storage::database::Database;
use millrace_storage::error::StorageError;

use crate::state::State;

pub mod intake;

/// How long a request waits for the broker before its event goes to the database.
const BROKER_PATIENCE: Duration = Duration::from_secs(1);
/// And how long for that.
const DATABASE_PATIENCE: Duration = Duration::from_secs(3);

/// Where a request came from.
#[must_use]
pub fn origin(state: &State, request: &HttpRequest) -> Origin {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    Origin {
        address: Some(state.trusted_proxies.client(request)),
        user_agent: agent.and_then(ShortText::cut),
        request_id: RequestId::current().and_then(|id| ShortText::cut(id.as_str())),
    }
}

/// That `actor` has just done it.
#[must_use]
pub fn did(actor: Actor, origin: &Origin, action: Action) -> SecurityEvent {
    SecurityEvent::new(action, actor, origin.clone(), Utc::now())
}

/// That whoever holds `account` has just done it to the account.
#[must_use]
pub fn to_own_account(
    state: &State,
    request: &HttpRequest,
    account: AccountId,
    action: Action,
) -> SecurityEvent {
    did(Actor::Account(account), &origin(state, request), action).on(Target::Account(account))
}

/// Records what is done already. When this returns the event is on a disk; if no server takes it, it is in the log of
/// this process alone, and counted.
pub async fn record(state: &State, event: SecurityEvent) {
    let late = |_elapsed| Err(MessagingError::Unavailable(format!("no answer in {BROKER_PATIENCE:?}")));
    let published = tokio::time::timeout(BROKER_PATIENCE, publish(&state.broker, &event)).await;
    let Err(unpublished) = published.unwrap_or_else(late) else { return };
    metrics::counter!("dependency_failures_total", "dependency" => "nats").increment(1);
    let late = |_elapsed| Err(StorageError::Unavailable(format!("no answer in {DATABASE_PATIENCE:?}")));
    let appending = append(&state.database, std::slice::from_ref(&event));
    match tokio::time::timeout(DATABASE_PATIENCE, appending).await.unwrap_or_else(late) {
        Ok(()) => tracing::warn!(error = %unpublished, "a security event is appended without the broker"),
        Err(error) => {
            metrics::counter!("audit_events_lost_total").increment(1);
            let event = serde_json::to_string(&event).unwrap_or_default();
            tracing::error!(%unpublished, %error, event, "a security event is lost");
        }
    }
}

/// Appends what is not in the log yet, and counts it.
async fn append(database: &Database, events: &[SecurityEvent]) -> Result<(), StorageError> {
    let mut conn = database.connection().await?;
    let new = millrace_storage::audit::append(&mut conn, events).await?;
    for SecurityEvent { action, .. } in events.iter().filter(|event| new.contains(&event.id)) {
        let (action, outcome) = (action.as_str(), action.outcome().as_str());
        metrics::counter!("audit_events_total", "action" => action, "outcome" => outcome).increment(1);
    }
    Ok(())
}
