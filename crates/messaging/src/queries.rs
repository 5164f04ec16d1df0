//! Questions about events, asked by other services.

use std::time::Duration;

use millrace_domain::ids::ProjectId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::{requests, subjects};

/// The question on [`subjects::QUERY`]. Whoever may reach the broker may ask about any project.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryQuestion {
    /// Whose events.
    pub project_id: ProjectId,
    /// The question, as the body of `POST /api/v1/query` has it.
    pub query: Map<String, Value>,
}

/// The answer: one of the two.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryAnswer {
    /// As the body of the HTTP answer has it.
    Answer(Box<RawValue>),
    /// Why there is none.
    Problem(QueryProblem),
}

/// Why a question was not answered: as `application/problem+json` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryProblem {
    /// The HTTP status.
    pub status: u16,
    /// The stable name of the kind of problem.
    pub code: String,
    /// The field at fault, when it is one.
    pub field: Option<String>,
    /// The reason, for people.
    pub message: String,
}

/// Asks analytics.
///
/// # Errors
/// When nobody answers within `patience`.
pub async fn ask(
    broker: &Broker,
    question: &QueryQuestion,
    patience: Duration,
) -> Result<QueryAnswer, MessagingError> {
    requests::ask_patiently(broker, subjects::QUERY, question, patience).await
}
