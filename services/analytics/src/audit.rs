//! Telling the audit log what was done.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use millrace_domain::audit::{Origin, SecurityEvent};
use millrace_domain::text::ShortText;
use millrace_http::problem::Problem;
use millrace_http::request_id::RequestId;
use millrace_messaging::audit::publish;
use millrace_messaging::error::MessagingError;

use crate::state::State;

/// How long a request waits for the broker.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// Records an event: when this returns, the broker has it on disk, and auth appends it to the log.
///
/// # Errors
/// 503 when the broker does not take it.
pub async fn record(state: &State, event: SecurityEvent) -> Result<(), Problem> {
    let late = |_elapsed| Err(MessagingError::Unavailable(format!("no answer in {PATIENCE:?}")));
    let published = tokio::time::timeout(PATIENCE, publish(&state.broker, &event)).await;
    published.unwrap_or_else(late).map_err(|error| Problem::unavailable("the audit log", &error))
}
