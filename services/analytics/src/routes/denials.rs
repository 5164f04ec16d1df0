//! How requests about what people keep say what was seen, and the ways in which they are refused, for the API's
//! description.

use std::collections::BTreeMap;

use millrace_http::denials;
pub(super) use millrace_http::denials::BadBody;
use millrace_http::problem::ProblemBody;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoParams, IntoResponses};

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

/// The answer to whoever has it already.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes")]
pub(super) enum Unchanged {
    /// The answer is the one that `If-None-Match` names
    #[response(status = 304)]
    Unchanged,
}

/// Refusals of a body that may be larger than others.
pub(super) struct BadLargeBody;

impl IntoResponses for BadLargeBody {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = BadBody::responses();
        if let Some(RefOr::T(too_large)) = responses.get_mut("413") {
            "The body has more than 4 MiB".clone_into(&mut too_large.description);
        }
        responses
    }
}

/// Refusals of what the present state does not allow.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
pub(super) enum NotSo {
    /// The present state does not allow it
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemBody),
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
