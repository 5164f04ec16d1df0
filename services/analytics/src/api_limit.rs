//! How many questions a second may be asked of a project, whoever asks. The gateway counts by caller and does not know
//! whose data a key opens; here that is known. Without a limit nothing is counted.

use millrace_cache::limits::Allowance;
use millrace_domain::ids::ProjectId;
use millrace_domain::rate::Rate;
use millrace_http::problem::Problem;
use millrace_http::quota::Quota;

use crate::state::State;

/// What it is called in metrics and headers.
const POLICY: &str = "project";

/// Takes a question from what may be asked of a project.
///
/// # Errors
/// 429 with the time to wait.
pub async fn check(state: &State, project: ProjectId) -> Result<(), Problem> {
    let Some(rate) = state.api_limits.of(project).map(|rate| *rate) else { return Ok(()) };
    let detail = || format!("{rate} questions may be asked of this project: wait before you ask again");
    take(state, POLICY, Allowance::of_project(POLICY, project, rate), rate, detail).await
}

/// Takes one from an allowance.
///
/// # Errors
/// 429 with the time to wait.
pub async fn take(
    state: &State,
    policy: &'static str,
    allowance: Allowance,
    rate: Rate,
    detail: impl FnOnce() -> String,
) -> Result<(), Problem> {
    let outcome = state.rates.take(&[allowance], 1).await;
    match (outcome.refused, outcome.standings.first()) {
        (Some(_), Some(standing)) => Err(Problem::too_many(Quota::of(policy, rate), detail(), standing.wait)),
        _ => Ok(()),
    }
}
