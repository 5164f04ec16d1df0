//! The ways in which a request is refused, for the API's description.

use millrace_http::problem::ProblemBody;
use utoipa::IntoResponses;

/// Refusals of every route that needs a person.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum NotSignedIn {
    /// No access token, or not a good one
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// Sent with an API key
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// The database is away; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Refusals of every route within a project.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum NoAccess {
    /// No access token, or not a good one
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// The caller's role does not allow it
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such thing, or it is not the caller's to see
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// The database is away; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Refusals of a page.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum BadPage {
    /// The limit or the cursor cannot be used; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

/// Refusals of parameters.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum BadParameter {
    /// A parameter cannot be used; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
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
    /// A field is missing or breaks a law; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}
