//! What goes wrong in ingest, as problems.

use std::time::Duration;

use millrace_http::problem::{Code, Problem};
use millrace_messaging::error::MessagingError;

use crate::split::SplitError;

impl From<SplitError> for IngestError {
    fn from(error: SplitError) -> Self {
        Self::Split(error)
    }
}

/// A request that was not answered with verdicts.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The body cannot be taken apart.
    #[error(transparent)]
    Split(SplitError),
    /// The log did not acknowledge; the sender shall try again.
    #[error("the events could not be made durable: {0}")]
    Publish(#[from] MessagingError),
    /// Too many bytes are being worked on.
    #[error("the service is at its memory limit for requests in hand")]
    Busy,
    /// The work was cancelled with the process.
    #[error("the request was cancelled")]
    Cancelled,
}

impl From<IngestError> for Problem {
    fn from(error: IngestError) -> Self {
        let code = match &error {
            IngestError::Split(SplitError::MediaType(_)) => Code::UnsupportedMedia,
            IngestError::Split(SplitError::TooMany(_)) => Code::TooLarge,
            IngestError::Split(_) => Code::Malformed,
            IngestError::Publish(cause) => {
                metrics::counter!("events_failed_total", "reason" => "publish").increment(1);
                return Self::unavailable("the event log", cause);
            }
            IngestError::Busy | IngestError::Cancelled => {
                metrics::counter!("events_failed_total", "reason" => "busy").increment(1);
                return Self::new(Code::Unavailable, error.to_string()).retry_after(Duration::from_secs(1));
            }
        };
        Self::new(code, error.to_string())
    }
}
