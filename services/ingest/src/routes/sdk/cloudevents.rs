//! CloudEvents.

use actix_web::http::header::{ALLOW, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::problem::{Code, Problem, ProblemBody};

use super::denials::NotTaken;
use super::request::{Taken, take, told};
use crate::admit::Outcome;
use crate::errors::IngestError;
use crate::sdk::cloudevents::{Mode, translate};
use crate::state::State;
use crate::verdicts::Verdicts;

const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// CloudEvents
///
/// Version 1.0 of the specification: structured, batched or binary, as `Content-Type` says. What maps to what:
/// docs/sdks.md.
#[utoipa::path(
    post, path = "/api/v1/cloudevents", tag = "SDKs", operation_id = "cloudevents",
    request_body(content(
        (serde_json::Value = "application/cloudevents+json"),
        (serde_json::Value = "application/cloudevents-batch+json"),
        (serde_json::Value = "application/json"),
    ), description = "In binary mode, with attributes as `ce-` headers, any type"),
    responses(
        (status = 202, description = "The accepted events are durable", body = Verdicts),
        (status = 400, description = "The body or a header cannot be read", body = ProblemBody, content_type = "application/problem+json"),
        NotTaken,
        (status = 415, description = "A format other than JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "Every event was refused", body = Verdicts),
    ),
    security(("ingest_key" = []), ("ingest_key_header" = [])),
)]
pub(super) async fn send(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let mode = Mode::announced(content_type, named).map_err(IngestError::from)?;
    let translate = move |body: &[u8], now| translate(body, &mode, now);
    let Taken { outcome, verdicts, quota, .. } = take(&request, payload, &state, false, translate).await?;
    let mut answer = match outcome {
        Outcome::Refused => HttpResponse::UnprocessableEntity(),
        Outcome::Durable | Outcome::Stored => HttpResponse::Accepted(),
    };
    Ok(told(quota, answer.json(verdicts)))
}

/// CloudEvents: may this sender send?
///
/// The handshake of the webhook specification: whoever is asked in its name may send, as often as it likes. What counts
/// is the key.
#[utoipa::path(
    options, path = "/api/v1/cloudevents", tag = "SDKs", operation_id = "cloudevents_handshake",
    params(
        ("WebHook-Request-Origin" = String, Header, description = "Who wants to send: a DNS name"),
        ("WebHook-Request-Rate" = Option<String>, Header, description = "Requests a minute that it wants to send"),
    ),
    responses(
        (status = 200, description = "It may", headers(
            ("WebHook-Allowed-Origin" = String, description = "The same name"),
            ("WebHook-Allowed-Rate" = String, description = "`*`: as often as it likes"),
            ("Allow" = String, description = "`POST`"),
        )),
        (status = 400, description = "Nobody asks", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(()),
)]
pub(super) async fn handshake(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let asks = request.headers().get(REQUEST_ORIGIN).ok_or_else(|| {
        Problem::new(Code::Malformed, "the header WebHook-Request-Origin must name who wants to send")
    })?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((ALLOW, "POST")).insert_header((ALLOWED_ORIGIN, asks.clone()));
    Ok(answer.insert_header((ALLOWED_RATE, "*")).finish())
}
