//! What goes wrong with a question, as problems.

use std::time::Duration;

use millrace_domain::analytics::query_error::QueryError;
use millrace_domain::analytics::query_fault::QueryFault;
use millrace_http::problem::{Code, Problem, Quota};
use millrace_storage::error::StorageError;
use millrace_storage::sql::SqlError;

use crate::sql::Inadmissible;

/// When to ask again while other questions are being answered.
const BUSY: Duration = Duration::from_secs(1);

/// A question that was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// A field of the question cannot be used.
    #[error(transparent)]
    Fault(#[from] QueryFault),
    /// More events would have to be read one by one than one question may.
    #[error(
        "the question reads {found} events one by one, and at most {most} may be read: ask for less time, or for event \
         types that are less frequent"
    )]
    TooManyEvents {
        /// As many as the counts say.
        found: u64,
        /// `MILLRACE_QUERY_EVENTS`.
        most: u64,
    },
    /// The question would hold more in memory than all questions together may.
    #[error(
        "the question would take {needed} bytes of memory, and at most {most} may be used: ask for less time, for longer \
         intervals, or for event types that are less frequent"
    )]
    TooMuchMemory {
        /// About as many as it would.
        needed: u64,
        /// The share of `MILLRACE_QUERY_MEMORY` for questions that are being worked on.
        most: u64,
    },
    /// Other questions take the memory.
    #[error("other questions take the memory that this one needs: ask again when they are done")]
    NoMemory,
    /// Too many questions about the project are being worked on.
    #[error("{0} questions about this project are being answered already: ask again when one is done")]
    TooManyQuestions(u32),
    /// A parameter cannot be used.
    #[error(transparent)]
    Refused(#[from] QueryError),
    /// Nobody of that name did anything.
    #[error("the project has no events of such a user")]
    NoUser,
    /// The statement is not one that a project may ask.
    #[error(transparent)]
    Inadmissible(#[from] Inadmissible),
    /// A statement has no answer.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// This installation answers no SQL.
    #[error("this installation answers no SQL: whoever runs it has not given it a login for that")]
    NoSql,
    /// Too many statements of all projects are being asked.
    #[error("{0} statements are being asked already: ask again when one is done")]
    TooManyStatements(u32),
    /// There is no such cohort, or it is another project's.
    #[error("there is no such cohort")]
    NoCohort,
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
            AnalyticsError::Fault(fault) => Self::field(&fault.field, fault.code, error.to_string()),
            AnalyticsError::TooManyEvents { .. } => Self::field("from", "too_many_events", error.to_string()),
            AnalyticsError::TooMuchMemory { .. } => Self::field("from", "too_much_memory", error.to_string()),
            AnalyticsError::TooManyQuestions(limit) => {
                let quota = Quota { policy: "queries", limit: *limit, window: BUSY };
                Self::too_many(quota, error.to_string(), BUSY)
            }
            // Asked again as it is, it would take as long again.
            AnalyticsError::Storage(error) if error.is_timeout() => Self::new(
                Code::Unavailable,
                "the question takes longer than one may: ask for less time, or for fewer events with a filter",
            ),
            AnalyticsError::Inadmissible(cause) => {
                let position = match cause {
                    Inadmissible::NotAllowed { position, .. } => *position,
                    Inadmissible::Unreadable(_) => None,
                };
                Self::field("sql", "not_allowed", error.to_string()).at(position)
            }
            AnalyticsError::Sql(SqlError::Refused { message, position }) => {
                Self::field("sql", "refused", message.as_str()).at(*position)
            }
            AnalyticsError::Sql(SqlError::NotAColumn(_)) => {
                Self::field("sql", "not_allowed", error.to_string())
            }
            AnalyticsError::Sql(SqlError::TooWide(_)) => {
                Self::field("sql", "too_many_columns", error.to_string())
            }
            AnalyticsError::Sql(SqlError::TooLarge(_)) => Self::field("sql", "too_large", error.to_string()),
            // Asked again as it is, it would take as long again.
            AnalyticsError::Sql(SqlError::TooSlow) | AnalyticsError::NoSql => {
                Self::new(Code::Unavailable, error.to_string())
            }
            AnalyticsError::Sql(SqlError::Storage(cause)) => Self::unavailable("the database", cause),
            AnalyticsError::TooManyStatements(_) | AnalyticsError::NoMemory => {
                Self::new(Code::Unavailable, error.to_string()).retry_after(BUSY)
            }
            AnalyticsError::Refused(cause) => Self::field(cause.field(), cause.code(), cause.to_string()),
            AnalyticsError::NoProject | AnalyticsError::NoUser | AnalyticsError::NoCohort => {
                Self::new(Code::NotFound, error.to_string())
            }
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
