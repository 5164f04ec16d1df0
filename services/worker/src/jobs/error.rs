//! Why a job did not go on, told apart by what is to be done about it.

use millrace_files::FilesError;
use millrace_messaging::error::MessagingError;
use millrace_storage::error::StorageError;
use serde::Serialize;
use serde_json::Value;

/// A job that ended before it was done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It cannot be done; trying again will not help.
    #[error("{0}")]
    Failed(String),
    /// Something it needs is away; the same may succeed later.
    #[error("{0}")]
    Unavailable(String),
    /// It was told to stop.
    #[error("{0}")]
    Stopped(Stop),
}

/// Who told a job to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Somebody who may.
    #[error("it was cancelled")]
    Cancelled,
    /// Another worker has it: this one was not heard of for too long.
    #[error("another worker has it")]
    Lost,
    /// The process, which stops.
    #[error("the worker stops")]
    Shutdown,
}

impl From<StorageError> for JobError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::NotHeld => Self::Stopped(Stop::Lost),
            StorageError::Refused(_)
            | StorageError::Corrupt(_)
            | StorageError::UnknownProject(_)
            | StorageError::UnusableProject(..) => Self::Failed(error.to_string()),
            // How often it is tried is bounded, so what only looks as if it would pass is tried, too.
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl From<MessagingError> for JobError {
    fn from(error: MessagingError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<FilesError> for JobError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Unavailable(_) => Self::Unavailable(error.to_string()),
            FilesError::Missing(_) | FilesError::Refused(_) => Self::Failed(error.to_string()),
        }
    }
}

/// What is noted, as JSON.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<Value, JobError> {
    serde_json::to_value(value).map_err(|error| JobError::Failed(format!("it cannot be noted: {error}")))
}
