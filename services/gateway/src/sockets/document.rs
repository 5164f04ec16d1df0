//! What the gateway's own routes say of themselves.

use millrace_http::problem::ProblemBody;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::tickets;

#[derive(utoipa::OpenApi)]
#[openapi(paths(tickets::give, live, notifications))]
struct Document;

/// The description.
#[must_use]
pub fn document() -> OpenApi {
    Document::openapi()
}

/// Events as they are accepted
///
/// A WebSocket: docs/live.md has the messages.
#[utoipa::path(
    get, path = "/api/v1/live", tag = "Live", operation_id = "live",
    params(
        ("event_type" = Option<Vec<String>>, Query, description = "Only events of these types"),
        ("user_id" = Option<Vec<String>>, Query, description = "Only events of these users"),
        ("project_id" = Option<uuid::Uuid>, Query, description = "Which project, where the caller has several; as `X-Project-Id`"),
        ("ticket" = Option<String>, Query, description = "In place of other credentials"),
    ),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "The request does not ask for a WebSocket", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No credentials, or none that are good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `read`, or a page of another origin shows a cookie", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such project among the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not valid, or the caller has several projects and names none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "As many sockets are open as there may be, or nobody knows the caller; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
#[expect(dead_code, reason = "it stands for the route in the document")]
fn live() {}

/// What happens to insights, dashboards, jobs and alerts
///
/// A WebSocket: docs/live.md has the messages.
#[utoipa::path(
    get, path = "/ws/notifications", tag = "Live", operation_id = "notifications",
    params(
        ("project_id" = Option<uuid::Uuid>, Query, description = "Which project, where the caller has several; as `X-Project-Id`"),
        ("ticket" = Option<String>, Query, description = "In place of other credentials"),
    ),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "The request does not ask for a WebSocket", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No credentials, or none that are good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `read`, or a page of another origin shows a cookie", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such project among the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not valid, or the caller has several projects and names none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "As many sockets are open as there may be, or nobody knows the caller; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
#[expect(dead_code, reason = "it stands for the route in the document")]
fn notifications() {}
