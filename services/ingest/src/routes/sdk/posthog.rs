//! PostHog.

use std::collections::HashMap;

use actix_web::http::header::HeaderName;
use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::problem::{Code, Problem, ProblemBody};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::denials::NotTaken;
use super::request::{Taken, take, take_with, told};
use crate::admit::Outcome;
use crate::sdk::posthog::{translate, translate_v1};
use crate::state::State;
use crate::verdicts::{Refusal, Verdicts};

const SDK_INFO: HeaderName = HeaderName::from_static("posthog-sdk-info");
const REQUEST_ID: HeaderName = HeaderName::from_static("posthog-request-id");

/// PostHog: events
///
/// Also at `/capture/`, `/e/` and `/i/v0/e/`. An object with `batch`, an array, or one event; gzip or Base64 as the
/// browser's SDK has them. `?beacon=1` answers 204. What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/batch/", tag = "SDKs", operation_id = "posthog",
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The accepted events are durable", body = Captured),
        (status = 204, description = "The same, to a beacon"),
        (status = 400, description = "The body cannot be read, or every event was refused", content((Refusal = "application/json"), (ProblemBody = "application/problem+json"))),
        NotTaken,
    ),
    security(("body_key" = [])),
)]
pub(super) async fn capture(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let Taken { outcome, verdicts, quota, .. } = take(&request, payload, &state, false, translate).await?;
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    let answer = match outcome {
        Outcome::Refused => HttpResponse::BadRequest().json(Refusal::from(verdicts)),
        _ if query.any(|(name, value)| name == "beacon" && value == "1") => {
            HttpResponse::NoContent().finish()
        }
        Outcome::Durable | Outcome::Stored => HttpResponse::Ok().json(Captured { status: 1, verdicts }),
    };
    Ok(told(quota, answer))
}

/// The answer that PostHog's SDKs look for, and our own.
#[derive(Debug, Serialize, ToSchema)]
struct Captured {
    /// Always 1.
    status: u8,
    #[serde(flatten)]
    verdicts: Verdicts,
}

/// PostHog: events, with a verdict on each
///
/// Capture V1. An event is `ok`, or `drop` with the reason; one that could not be made durable makes the whole request
/// 503, and may be sent again, and so do more events than the project may send. What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/i/v1/analytics/events", tag = "SDKs", operation_id = "posthog_v1",
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The accepted events are durable", body = Results),
        (status = 400, description = "The body cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No key, or not a live one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The key lacks the scope `ingest`, or the project does not list the page's origin", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or events", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not durable, or more events than the project may send; try again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("ingest_key" = [])),
)]
pub(super) async fn capture_v1(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let library = request.headers().get(SDK_INFO).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let translate = move |body: &[u8], now| translate_v1(body, library.as_deref(), now);
    let taken = take_with(&request, payload, &state, false, translate).await;
    let Taken { verdicts, quota, also: uuids, .. } = taken.map_err(never_final)?;
    let dropped: HashMap<usize, String> =
        verdicts.errors.into_iter().map(|error| (error.index, error.message)).collect();
    let results = uuids
        .into_iter()
        .enumerate()
        .map(|(index, uuid)| match dropped.get(&index) {
            Some(reason) => (uuid, Verdict { result: "drop", details: Some(reason.clone()) }),
            None => (uuid, Verdict { result: "ok", details: None }),
        })
        .collect();
    let mut response = HttpResponse::Ok();
    if let Some(id) = request.headers().get(REQUEST_ID) {
        response.insert_header((REQUEST_ID, id.clone()));
    }
    Ok(told(quota, response.json(Results { results })))
}

/// In this format 429 is final, and its SDKs throw away what they were told it for. A limit passes: they come again after
/// 503.
fn never_final(problem: Problem) -> Problem {
    if problem.code() == Code::TooMany { problem.coded(Code::Unavailable) } else { problem }
}

/// The verdicts on the events of a request, by their `uuid`.
#[derive(Debug, Serialize, ToSchema)]
struct Results {
    results: HashMap<String, Verdict>,
}

/// What became of an event.
#[derive(Debug, Serialize, ToSchema)]
struct Verdict {
    /// `ok` or `drop`.
    result: &'static str,
    /// Why it was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}
