//! The ways in which a request is refused, for the API's description.

pub(super) use millrace_http::denials::{BadBody, NoAccess};
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
