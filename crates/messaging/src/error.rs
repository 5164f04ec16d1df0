//! What can go wrong between us and the broker.

/// A failed messaging operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MessagingError {
    /// The broker is away or took too long.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
    /// The stream holds as much as it may: what is in it has to be worked off first.
    #[error("the stream is full")]
    Full,
    /// The message can never be sent.
    #[error("the broker refuses the message: {0}")]
    Refused(String),
    /// Nobody answered a question in time, or there is nobody to ask.
    #[error("{subject} did not answer: {reason}")]
    NoAnswer {
        /// The question.
        subject: &'static str,
        /// What happened instead.
        reason: String,
    },
    /// The answer cannot be read.
    #[error("{subject} answered something else: {reason}")]
    BadAnswer {
        /// The question.
        subject: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl MessagingError {
    pub(crate) fn unavailable(error: impl std::fmt::Display) -> Self {
        Self::Unavailable(error.to_string())
    }
}
