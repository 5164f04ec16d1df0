//! Whose pages may send events of a project. The gateway cannot tell, because a browser asks it beforehand without
//! showing a key; here the key is known, and what is not a browser names no origin.

use actix_web::http::header::{HeaderMap, ORIGIN};
use millrace_domain::ids::ProjectId;
use millrace_http::problem::{Code, Problem};

use crate::state::State;

/// Lets pass what no page sends, or one that may.
///
/// # Errors
/// 403 for pages of origins that are not on the project's list, where it has one.
pub(crate) fn check(state: &State, project: ProjectId, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let Some(allowed) = state.event_origins.of(project) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if allowed.allow(origin) {
        return Ok(());
    }
    metrics::counter!("events_failed_total", "reason" => "origin").increment(1);
    let detail =
        format!("pages of {origin:?} may not send events of this project: add it to its event origins");
    Err(Problem::new(Code::OriginNotAllowed, detail))
}
