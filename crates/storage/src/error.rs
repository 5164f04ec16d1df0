//! What can go wrong between us and the database, told apart by what the caller can do about it.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::deadpool::PoolError;
use millrace_domain::ids::ProjectId;

/// A failed storage operation.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The database is away, busy, or took too long: the same operation may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// It is there already.
    #[error("{0} exists already")]
    Conflict(String),
    /// Events of a project that is not there.
    #[error("project {0} does not exist")]
    UnknownProject(ProjectId),
    /// It refers to something that is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// The database refuses the content itself: no retry will help.
    #[error("the database refuses the content: {0}")]
    Refused(String),
    /// The stored bytes are not what this version writes.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StorageError {
    /// Whether waiting and trying again makes sense.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether the server ended a statement that took longer than it may. PostgreSQL's words for it: diesel does not
    /// pass the SQLSTATE on.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Unavailable(said) if said.starts_with("canceling statement due to statement timeout"))
    }
}

impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, info) = &error else {
            return Self::Failed(error.to_string());
        };
        let name = || info.constraint_name().unwrap_or("it").to_owned();
        match kind {
            DatabaseErrorKind::UniqueViolation => Self::Conflict(name()),
            DatabaseErrorKind::ForeignKeyViolation => Self::Missing(name()),
            DatabaseErrorKind::CheckViolation | DatabaseErrorKind::NotNullViolation => Self::Refused(name()),
            DatabaseErrorKind::ClosedConnection
            | DatabaseErrorKind::UnableToSendCommand
            | DatabaseErrorKind::SerializationFailure
            | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(info.message().to_owned()),
            // diesel does not pass the SQLSTATE on; these are PostgreSQL's words for 57014 and 57P01 to 57P03.
            _ if ["canceling statement", "terminating connection", "the database system is"]
                .iter()
                .any(|words| info.message().starts_with(words)) =>
            {
                Self::Unavailable(info.message().to_owned())
            }
            _ => Self::Failed(info.message().to_owned()),
        }
    }
}

impl From<PoolError> for StorageError {
    fn from(error: PoolError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<tokio_postgres::Error> for StorageError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Unavailable(describe(&error)) };
        let said = format!("{} ({})", db.message(), db.code().code());
        match db.code().code().get(..2) {
            // Data exceptions, integrity, program limits: the content is at fault. PostgreSQL, appendix A.
            Some("22" | "23" | "54") => Self::Refused(said),
            _ => Self::Unavailable(said),
        }
    }
}

/// tokio-postgres keeps the reason in the source and says only "error connecting to server" itself.
fn describe(error: &tokio_postgres::Error) -> String {
    std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}
