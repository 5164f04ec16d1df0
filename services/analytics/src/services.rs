//! Questions of other services, over the broker: the same language, the same answers, the same limits.

use millrace_domain::analytics::query::Query;
use millrace_http::problem::Problem;
use millrace_messaging::broker::Broker;
use millrace_messaging::error::MessagingError;
use millrace_messaging::queries::{QueryAnswer, QueryProblem, QueryQuestion};
use millrace_messaging::requests::{self, Unanswered};
use millrace_messaging::subjects;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use crate::errors::AnalyticsError;
use crate::questions::answer_to;
use crate::state::State;

/// The largest answer that a message takes, as brokers are set up unless somebody changes it, less what is around it.
const LARGEST: usize = (1 << 20) - 1_024;

/// Answers until `shutdown`.
///
/// # Errors
/// When the broker does not accept the service, or ends it.
pub async fn answer(broker: Broker, state: State, shutdown: CancellationToken) -> Result<(), MessagingError> {
    let respond = |question| respond(state.clone(), question);
    requests::answer(&broker, "analytics", subjects::QUERY, shutdown, respond).await
}

async fn respond(state: State, question: QueryQuestion) -> Result<QueryAnswer, Unanswered> {
    match work_out(&state, question).await {
        Ok(body) => Ok(QueryAnswer::Answer(body)),
        Err(problem) => Ok(QueryAnswer::Problem(QueryProblem {
            status: problem.code().status().as_u16(),
            code: problem.code().as_str().to_owned(),
            field: problem.errors().first().map(|error| error.field.clone()),
            message: problem.detail().to_owned(),
        })),
    }
}

async fn work_out(state: &State, question: QueryQuestion) -> Result<Box<RawValue>, Problem> {
    let spelling = serde_json::to_string(&question.query).map_err(|error| Problem::internal(&error))?;
    let query = Query::parse(question.query).map_err(AnalyticsError::from)?;
    let recalled = answer_to(state, question.project_id, query, spelling, false).await;
    let (answer, _) = recalled.map_err(|error| Problem::from(&*error))?;
    if answer.size() > LARGEST {
        let reason = "the answer is larger than a message may be: ask for less";
        return Err(Problem::new(millrace_http::problem::Code::TooLarge, reason));
    }
    serde_json::from_slice(answer.body()).map_err(|error| Problem::internal(&error))
}
