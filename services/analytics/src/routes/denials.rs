//! The ways in which requests about what people keep are refused, for the API's description.

use std::collections::BTreeMap;

use millrace_http::denials;
pub(super) use millrace_http::denials::BadBody;
use millrace_http::problem::ProblemBody;
use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

/// Refusals of every route within a project.
pub(super) struct NoAccess;

#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
enum NoProject {
    /// `X-Project-Id` is needed and missing, or something else cannot be used; `errors` says which
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
}

impl IntoResponses for NoAccess {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = denials::NoAccess::responses();
        responses.extend(NoProject::responses());
        responses
    }
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
