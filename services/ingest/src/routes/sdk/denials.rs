//! The ways in which requests of SDKs are refused, for the API's description.

use millrace_http::problem::ProblemBody;
use utoipa::IntoResponses;

/// Refusals as problems.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum NotTaken {
    /// No key, or not a live one
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// The key lacks the scope `ingest`, or the project does not list the page's origin
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// Too many bytes or events
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// More events than the project may send; try again after `Retry-After`
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// Not durable; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// The answers of Mixpanel's routes that say no more than whether.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; a text is what is sent")]
pub(super) enum OneOrZero {
    /// `1`: the accepted events are durable. `0`: every event was refused
    #[response(status = 200)]
    Answered(String),
    /// `0`: the body cannot be read
    #[response(status = 400)]
    Malformed(String),
    /// `0`: no key, or not a live one
    #[response(status = 401)]
    Unauthenticated(String),
    /// `0`: the key lacks the scope `ingest`, or the project does not list the page's origin
    #[response(status = 403)]
    Forbidden(String),
    /// `0`: too many bytes or events
    #[response(status = 413)]
    TooLarge(String),
    /// `0`: more events than the project may send; try again after `Retry-After`
    #[response(status = 429)]
    TooMany(String),
    /// `0`: not durable; try again after `Retry-After`
    #[response(status = 503)]
    Unavailable(String),
}
