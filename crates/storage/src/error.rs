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
    /// Events of a project whose settings or users this version cannot use: no retry will help until they are others.
    #[error("project {0} cannot be counted: {1}")]
    UnusableProject(ProjectId, String),
    /// It refers to something that is not there.
    #[error("{0} does not exist")]
    Missing(String),
    /// The database refuses the content itself: no retry will help.
    #[error("the database refuses the content: {0}")]
    Refused(String),
    /// Whoever writes for a job does not hold it any more: somebody else does, or it is gone.
    #[error("somebody else has the job")]
    NotHeld,
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
            _ if PASSING.iter().any(|words| info.message().starts_with(words)) => {
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
        let Some(db) = error.as_db_error() else {
            let said = describe(&error);
            // A value that has no binary form will not get one.
            return if said.starts_with("error serializing parameter") {
                Self::Refused(said)
            } else {
                Self::Unavailable(said)
            };
        };
        let said = format!("{} ({})", db.message(), db.code().code());
        if blames_the_content(db.code().code()) { Self::Refused(said) } else { Self::Unavailable(said) }
    }
}

/// Whether an SQLSTATE (PostgreSQL, appendix A) says that this content will never be taken. All others are about the
/// database's state: conflicts with other transactions (40), resources such as disk and connections (53), operators (57),
/// a database that only reads (25006), and also a schema that does not fit (42), which a migration mends.
fn blames_the_content(sqlstate: &str) -> bool {
    // Data exceptions, integrity, limits of the program.
    matches!(sqlstate.get(..2), Some("22" | "23" | "54"))
}

/// What PostgreSQL says first where diesel does not pass the SQLSTATE on and waiting helps: 57014, 57P01 to 57P03, 40P01,
/// 53100, 53200, 53300, 55P03.
const PASSING: &[&str] = &[
    "canceling statement",
    "terminating connection",
    "the database system is",
    "deadlock detected",
    "could not extend file",
    "could not write",
    "out of memory",
    "sorry, too many clients already",
    "remaining connection slots are reserved",
    "too many connections for",
    "could not obtain lock",
];

/// tokio-postgres keeps the reason in the source and says only "error connecting to server" itself.
fn describe(error: &tokio_postgres::Error) -> String {
    std::iter::successors(Some(error as &dyn std::error::Error), |e| e.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_blamed_for_what_it_is_and_for_nothing_else() {
        let content = [
            "22001", "22003", "22008", "22021", "22P02", "22P05", "22023", "23502", "23505", "23514", "54000",
        ];
        for sqlstate in content {
            assert!(blames_the_content(sqlstate), "{sqlstate}");
        }
        let state = [
            "08006", "25006", "40001", "40P01", "42501", "42P01", "53000", "53100", "53200", "53300",
            "53400", "55P03", "57014", "57P01", "57P02", "57P03", "58030", "XX000", "XX002", "",
        ];
        for sqlstate in state {
            assert!(!blames_the_content(sqlstate), "{sqlstate}");
        }
    }
}
