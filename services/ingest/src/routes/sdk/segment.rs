//! Segment and RudderStack.

use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::problem::{Code, Problem, ProblemBody};

use super::denials::NotTaken;
use super::request::{Taken, take, told};
use crate::admit::Outcome;
use crate::sdk::segment::{Path, translate};
use crate::state::State;
use crate::verdicts::{Refusal, Verdicts};

/// Segment, RudderStack: messages
///
/// `batch` takes `{"batch": […]}`, the others one message. What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/v1/{kind}", tag = "SDKs", operation_id = "segment",
    params(("kind" = String, Path, description = "`track`, `identify`, `page`, `screen`, `group`, `alias`, `batch`, or the first letter of one")),
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The accepted messages are durable", body = Verdicts),
        (status = 400, description = "The body cannot be read, or every message was refused", content((Refusal = "application/json"), (ProblemBody = "application/problem+json"))),
        NotTaken,
    ),
    security(("write_key" = []), ("ingest_key" = [])),
)]
pub(super) async fn send(
    request: HttpRequest,
    kind: web::Path<String>,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let path = Path::parse(&kind)
        .ok_or_else(|| Problem::new(Code::NotFound, format!("there is no {}", request.path())))?;
    answer(&request, payload, &state, path).await
}

/// RudderStack: the messages of a page that is being left
///
/// `{"batch": […]}` as `text/plain`, with the key in the query.
#[utoipa::path(
    post, path = "/beacon/v1/batch", tag = "SDKs", operation_id = "rudderstack_beacon",
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, description = "The accepted messages are durable", body = Verdicts),
        (status = 400, description = "The body cannot be read, or every message was refused", content((Refusal = "application/json"), (ProblemBody = "application/problem+json"))),
        NotTaken,
    ),
    security(("body_key" = [])),
)]
pub(super) async fn beacon(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    answer(&request, payload, &state, Path::Batch).await
}

async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    path: Path,
) -> Result<HttpResponse, Problem> {
    let translate = move |body: &[u8], now| translate(body, path, now);
    let Taken { outcome, verdicts, quota, .. } = take(request, payload, state, false, translate).await?;
    let answer = match outcome {
        Outcome::Refused => HttpResponse::BadRequest().json(Refusal::from(verdicts)),
        Outcome::Durable | Outcome::Stored => HttpResponse::Ok().json(verdicts),
    };
    Ok(told(quota, answer))
}
