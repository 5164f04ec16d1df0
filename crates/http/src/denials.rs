//! The ways in which requests are refused wherever they are made, for the description of an API.

use utoipa::IntoResponses;

use crate::problem::ProblemBody;

/// Refusals of every route within a project.
#[derive(IntoResponses)]
pub enum NoAccess {
    /// No access token, or not a good one
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// Sent with an API key, or by somebody whose role does not allow it
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such thing, or it is not the caller's to see
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// A dependency is away; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Refusals of a body.
#[derive(IntoResponses)]
pub enum BadBody {
    /// The body cannot be read
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(ProblemBody),
    /// The body has more than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// A media type or encoding that is not spoken here
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMedia(ProblemBody),
    /// A field is missing or breaks a law; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}
