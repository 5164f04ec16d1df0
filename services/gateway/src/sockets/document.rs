//! What the gateway's own routes say of themselves.

use millrace_http::problem::ProblemBody;
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, IntoResponses, OpenApi as _};
use uuid::Uuid;

use super::tickets;
use crate::notifications::since;

#[derive(utoipa::OpenApi)]
#[openapi(paths(tickets::give, since::list, live, notifications))]
struct Document;

/// The description.
#[must_use]
pub fn document() -> OpenApi {
    Document::openapi()
}

/// What every socket may be asked with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes; `Asked` is what is read")]
struct Opening {
    /// Which project, where the caller has several; as `X-Project-Id`
    project_id: Option<Uuid>,
    /// In place of other credentials
    ticket: Option<String>,
}

/// Answers to a request for a socket.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "describes; `Problem` is what is sent")]
enum Opened {
    /// The socket is open
    #[response(status = 101)]
    Open,
    /// The request does not ask for a WebSocket
    #[response(status = 400, content_type = "application/problem+json")]
    NotASocket(ProblemBody),
    /// No credentials, or none that are good
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthenticated(ProblemBody),
    /// The key lacks the scope `read`, or a page of another origin shows a cookie
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemBody),
    /// There is no such project among the caller's
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemBody),
    /// A parameter is not valid, or the caller has several projects and names none
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(ProblemBody),
    /// Too many requests; try again after `Retry-After`
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemBody),
    /// As many sockets are open as there may be, or nobody knows the caller; try again after `Retry-After`
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// Events as they are accepted
///
/// A WebSocket: docs/live.md has the messages.
#[utoipa::path(
    get, path = "/api/v1/live", tag = "Live", operation_id = "live",
    params(
        ("event_type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        ("user_id" = Option<Vec<String>>, Query, description = "Only events of these users"),
        Opening,
    ),
    responses(Opened),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
#[expect(dead_code, reason = "it stands for the route in the document")]
fn live() {}

/// What happens to insights, dashboards, jobs and alerts
///
/// A WebSocket: docs/live.md has the messages.
#[utoipa::path(
    get, path = "/ws/notifications", tag = "Live", operation_id = "notifications",
    params(Opening),
    responses(Opened),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
#[expect(dead_code, reason = "it stands for the route in the document")]
fn notifications() {}
