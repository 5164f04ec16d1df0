//! What goes wrong with a question, as problems.

use std::time::Duration;

use millrace_domain::analytics::query_error::QueryError;
use millrace_http::problem::{Code, Problem};
use millrace_storage::error::StorageError;

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// A parameter that must be there is not.
    #[error("{0} is required")]
    Absent(&'static str),
    /// A parameter cannot be used.
    #[error(transparent)]
    Refused(#[from] QueryError),
    /// The credentials outlived their project.
    #[error("the project does not exist")]
    NoProject,
    /// The database did not answer, or not with what this version writes.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The answer cannot be written as JSON.
    #[error("the answer cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// The work was cancelled with the process.
    #[error("the request was cancelled")]
    Cancelled,
}

impl From<AnalyticsError> for Problem {
    fn from(error: AnalyticsError) -> Self {
        Self::from(&error)
    }
}

impl From<&AnalyticsError> for Problem {
    fn from(error: &AnalyticsError) -> Self {
        match error {
            AnalyticsError::Absent(field) => Self::field(field, "required", error.to_string()),
            AnalyticsError::Refused(cause) => Self::field(cause.field(), cause.code(), cause.to_string()),
            AnalyticsError::NoProject => Self::new(Code::NotFound, error.to_string()),
            AnalyticsError::Storage(StorageError::Unavailable(cause)) => {
                Self::unavailable("the database", cause)
            }
            // The project, the account or the insight went away while the request was on its way.
            AnalyticsError::Storage(StorageError::Missing(_)) => {
                Self::new(Code::NotFound, "something that the request names does not exist")
            }
            AnalyticsError::Storage(_) | AnalyticsError::Unwritable(_) => Self::internal(error),
            AnalyticsError::Cancelled => {
                Self::new(Code::Unavailable, error.to_string()).retry_after(Duration::from_secs(1))
            }
        }
    }
}
