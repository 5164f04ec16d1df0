//! `GET /api/v1/notifications`: what somebody missed who was away, seen by whom the socket would have told it.

use actix_web::{HttpRequest, HttpResponse, web};
use millrace_domain::notification::Notification;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_http::query::parse;
use millrace_messaging::notifications::missed::{self, Missed};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Placed;
use crate::sockets::{Refused, Sockets, project_header, project_named};

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 200;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// The cursor of the last thing that was heard; everything that is kept if absent.
    #[param(nullable = false, example = "4711")]
    since: Option<String>,
    /// How many there are at most in the answer, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// Which project, where the caller has several; as `X-Project-Id`.
    #[param(value_type = Option<uuid::Uuid>, nullable = false)]
    project_id: Option<String>,
}

/// What was missed.
#[derive(Serialize, ToSchema)]
pub(crate) struct MissedView<'a> {
    /// In the order in which it was told: notifications as the socket tells them, each with its `cursor`.
    #[schema(value_type = Vec<Object>)]
    data: Vec<Placed<'a>>,
    /// Ask on with this one; `null` when there is no more.
    next_cursor: Option<String>,
    /// Where to ask from the next time, even if there was nothing.
    #[schema(example = "4711")]
    cursor: String,
    /// `false` when something that came after `since` may be forgotten: look at the state itself.
    complete: bool,
}

/// Notifications that were missed
///
/// Those of the last days that `/ws/notifications` would have told the caller. Open the socket first, then ask from the
/// last `cursor` that was heard: then nothing is missed, and what comes twice has the same `id`.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "Live", operation_id = "list_notifications",
    params(Since, ("X-Project-Id" = Option<uuid::Uuid>, Header, description = "Which project, where the caller has several")),
    responses(
        (status = 200, description = "What was missed", body = MissedView),
        (status = 401, description = "No credentials, or none that are good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `read`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no such project among the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is not valid, or the caller has several projects and names none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The broker is away, or nobody knows the caller; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []), ("x_api_key" = []), ("browser_session" = [])),
)]
pub(crate) async fn list(request: HttpRequest, sockets: web::Data<Sockets>) -> HttpResponse {
    sockets.try_list(&request).await.unwrap_or_else(|Refused(answer)| answer)
}

impl Sockets {
    async fn try_list(&self, request: &HttpRequest) -> Result<HttpResponse, Refused> {
        let asked: Since = parse(request.query_string())?;
        let project = match &asked.project_id {
            Some(text) => Some(project_named("project_id", Some(text))?),
            None => project_header(request)?,
        };
        let (after, limit) = (asked.after()?, asked.limit()?);
        let (shown, admitted) = self.access.shown(request).await?;
        let viewer = self.access.admit(&shown, project).await?;
        let sees = |notification: &Notification| notification.audience.has(viewer.account());
        let missed = missed::since(&self.broker, viewer.project, after, limit, sees).await;
        let Missed { notifications, cursor, more, complete } =
            missed.map_err(|error| Problem::unavailable("the broker", &error))?;
        let data = notifications.iter().map(|(cursor, told)| Placed::new(*cursor, told)).collect();
        let cursor = cursor.to_string();
        let next_cursor = more.then(|| cursor.clone());
        let mut answer = HttpResponse::Ok()
            .insert_header((actix_web::http::header::CACHE_CONTROL, "no-store"))
            .json(MissedView { data, next_cursor, cursor, complete });
        if let Some(admitted) = admitted {
            admitted.renew(answer.headers_mut());
        }
        Ok(answer)
    }
}

impl Since {
    fn after(&self) -> Result<Option<u64>, Problem> {
        let after = self.since.as_deref().map(str::parse).transpose();
        after.map_err(|_not_ours| Problem::field("since", "invalid", "since must be a cursor from here"))
    }

    fn limit(&self) -> Result<usize, Problem> {
        match self.limit.as_deref().map(str::parse) {
            None => Ok(DEFAULT_LIMIT),
            Some(Ok(limit @ 1..=MAX_LIMIT)) => Ok(limit),
            Some(_) => {
                Err(Problem::field("limit", "invalid", format!("limit must be from 1 to {MAX_LIMIT}")))
            }
        }
    }
}
