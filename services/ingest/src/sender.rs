//! Who sends a request: its project, and what the log says of it beside its events.

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use millrace_domain::ids::ProjectId;
use millrace_http::authorized::{Authorized, Ingest};
use millrace_http::request_id::RequestId;
use millrace_messaging::source::Source;

use crate::state::State;

/// The sender of a request.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The project that its key opens.
    pub project_id: ProjectId,
    /// What travels with the events.
    pub source: Source,
}

impl Sender {
    /// Whoever sends `request` with this permission. Their address is passed on only where the operator wants events to
    /// have a country.
    #[must_use]
    pub fn of(state: &State, caller: &Authorized<Ingest>, request: &HttpRequest) -> Self {
        let request_id = RequestId::current().map(|id| id.to_string()).unwrap_or_default();
        let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        let address = state.passes_addresses_on.as_ref().map(|proxies| proxies.client(request));
        let source =
            Source::of(&request_id).with_key(caller.key_id).with_user_agent(agent).with_address(address);
        Self { project_id: caller.project_id, source }
    }
}
