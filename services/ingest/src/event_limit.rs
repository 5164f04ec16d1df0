//! How many events a second a project may send. Counted here, where the project and the number of events are known;
//! without a limit nothing is counted and nobody is asked.

use millrace_cache::limits::Allowance;
use millrace_domain::ids::ProjectId;
use millrace_http::problem::Problem;
use millrace_http::quota::{Field, Quota};

use crate::state::State;

/// What it is called in metrics and headers. Its units are events.
const POLICY: &str = "ingest";

/// Takes `sent` events from what the project may send, all or none: a request is one answer. More than the burst pass
/// when nothing was sent for a while, and what follows waits the longer.
///
/// Answers the fields that tell what is left.
///
/// # Errors
/// 429 with the time to wait.
pub(crate) async fn check(
    state: &State,
    project: ProjectId,
    sent: usize,
) -> Result<Option<[Field; 2]>, Problem> {
    let Some(rate) = state.event_limits.of(project).map(|rate| *rate) else { return Ok(None) };
    let cost = u32::try_from(sent).unwrap_or(u32::MAX);
    let outcome = state.limits.take(&[Allowance::of_project(POLICY, project, rate)], cost).await;
    let Some(standing) = outcome.standings.first() else { return Ok(None) };
    let quota = Quota::of(POLICY, rate);
    if outcome.refused.is_none() {
        return Ok(Some(quota.fields(standing.remaining, standing.more)));
    }
    let detail = format!("the project may send {rate} events; none of these {sent} was taken");
    Err(Problem::too_many(quota, detail, standing.wait))
}
