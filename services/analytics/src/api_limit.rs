//! How many questions a second may be asked of a project, whoever asks. The gateway counts by caller and does not know
//! whose data a key opens; here that is known. Without a limit nothing is counted.

use millrace_cache::limits::Allowance;
use millrace_domain::ids::ProjectId;
use millrace_http::problem::Problem;
use millrace_http::quota::Quota;

use crate::state::State;

/// What it is called in metrics and headers.
const POLICY: &str = "project";

/// Takes a question from what may be asked.
///
/// # Errors
/// 429 with the time to wait.
pub async fn check(state: &State, project: ProjectId) -> Result<(), Problem> {
    let Some(rate) = state.api_limits.of(project).map(|rate| *rate) else { return Ok(()) };
    let outcome = state.rates.take(&[Allowance::of_project(POLICY, project, rate)], 1).await;
    match (outcome.refused, outcome.standings.first()) {
        (Some(_), Some(standing)) => {
            let detail = format!("{rate} questions may be asked of this project: wait before you ask again");
            Err(Problem::too_many(Quota::of(POLICY, rate), detail, standing.wait))
        }
        _ => Ok(()),
    }
}
