//! `POST /api/v1/events`.

use actix_web::{HttpRequest, HttpResponse, post, web};
use chrono::Utc;
use millrace_domain::batch::MAX_REQUEST_BYTES;
use millrace_domain::draft::to_micros;
use millrace_http::authorized::{Authorized, Ingest};
use millrace_http::body;
use millrace_http::problem::{Problem, ProblemBody};
use millrace_http::query::Query;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::admit::{Admission, Outcome, admit};
use crate::errors::IngestError;
use crate::parse::parse;
use crate::sender::Sender;
use crate::split::Form;
use crate::state::State;
use crate::verdicts::Verdicts;
use crate::{aside, event_limit, event_origin};

/// How to treat the request.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Refuse all events if any breaks a law.
    #[serde(default)]
    strict: bool,
    /// `stored`: answer 200 once the events can be queried, 202 if that takes too long.
    #[param(inline)]
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Wait {
    Stored,
}

/// Send events
///
/// One event, an array, `{"events": […]}` or NDJSON, at most 10,000 events and 10 MiB once inflated. 202 says that
/// every accepted event is on disk in the log.
#[utoipa::path(
    tag = "events",
    params(Options),
    request_body(
        content((serde_json::Value = "application/json"), (String = "application/x-ndjson")),
        description = "Events. `Content-Encoding`: gzip, zstd, br or deflate.",
    ),
    responses(
        (status = 200, description = "Stored: the events can be queried (`wait=stored`)", body = Verdicts),
        (status = 202, description = "Accepted: the events are durable", body = Verdicts),
        (status = 400, description = "The body cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No key, or not a live one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `ingest`, or a page of an origin sends it that the project does not list", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or events", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "A media type or encoding that is not spoken here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Every event was refused, or one was and the request is strict; or a parameter is not valid", content((Verdicts = "application/json"), (ProblemBody = "application/problem+json"))),
        (status = 429, description = "More events than the project may send; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not durable; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("ingest_key" = []), ("ingest_key_header" = [])),
)]
#[post("/api/v1/events")]
pub(super) async fn send(
    caller: Authorized<Ingest>,
    request: HttpRequest,
    options: Query<Options>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let started = std::time::Instant::now();
    let Query(options) = options;
    event_origin::check(&state, caller.project_id, request.headers())?;
    let form = Form::announced(request.headers()).map_err(IngestError::from)?;
    let _share = state.budget.share(request.headers())?;
    let body = body::read(request.headers(), payload, MAX_REQUEST_BYTES).await?;
    state.broker.has_room().map_err(IngestError::from)?;
    let now = to_micros(Utc::now());
    let parsed = aside::parsed(body.len(), move || parse(&body, form, now)).await?;

    let quota = event_limit::check(&state, caller.project_id, parsed.sent).await?;
    let how = Admission { strict: options.strict, wait_until_stored: options.wait == Some(Wait::Stored) };
    let (outcome, verdicts) = admit(&state, &Sender::of(&state, &caller, &request), parsed, how, now).await?;
    metrics::histogram!("ingestion_duration_seconds").record(started.elapsed());
    let mut answer = match outcome {
        Outcome::Refused => HttpResponse::UnprocessableEntity(),
        Outcome::Durable => HttpResponse::Accepted(),
        Outcome::Stored => HttpResponse::Ok(),
    };
    for field in quota.into_iter().flatten() {
        answer.insert_header(field);
    }
    Ok(answer.json(verdicts))
}
