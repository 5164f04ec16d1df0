//! How requests about what people keep say what was seen, and the ways in which they are refused, for the API's
//! description.

use millrace_http::problem::ProblemBody;
use utoipa::{IntoParams, IntoResponses};

/// Refusals of every route within a project.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum NoAccess {
    /// No access token, or not a good one
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// Sent with an API key, or by somebody whose role does not allow it
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such thing, or it is not the caller's to see
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// `X-Project-Id` is needed and missing, or something else cannot be used; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// A dependency is away; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Refusals of a body.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum BadBody {
    /// The body cannot be read
    #[response(status = 400, content_type = "application/problem+json")]
    Malformed(ProblemBody),
    /// The body has more than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemBody),
    /// A media type or encoding that is not spoken here
    #[response(status = 415, content_type = "application/problem+json")]
    UnsupportedMedia(ProblemBody),
}

/// The answer to whoever has it already.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes")]
pub(super) enum Unchanged {
    /// The answer is the one that `If-None-Match` names
    #[response(status = 304)]
    Unchanged,
}

/// Refusals of a link.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum BadLink {
    /// The link is unknown, revoked or expired
    #[response(status = 401, content_type = "application/problem+json")]
    NotALink(ProblemBody),
    /// It is followed too often; try again after `Retry-After`
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// A dependency is away; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Refusals of a change of what somebody else may have changed.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum Stale {
    /// It was changed since the caller looked; `current` is its present state
    #[response(status = 412, content_type = "application/problem+json")]
    ChangedMeanwhile(ProblemBody),
    /// `If-Match` is missing
    #[response(status = 428, content_type = "application/problem+json")]
    VersionRequired(ProblemBody),
}

/// What a change shows: [`millrace_http::revision::Seen`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes")]
pub(super) struct Version {
    /// The `ETag` of the state that was seen
    #[param(rename = "If-Match", example = "\"1\"")]
    seen: String,
}
