//! Amplitude. Its SDKs read the status in the body and not the one of HTTP.

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::Utc;
use millrace_http::problem::{Code, Problem};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::request::{Taken, reworded, take, told};
use crate::admit::Outcome;
use crate::sdk::amplitude::translate;
use crate::state::State;
use crate::verdicts::Verdicts;

/// Amplitude: events
///
/// HTTP V2. An event at fault refuses the request, as the format has it: SDKs send the others again. What maps to what:
/// docs/sdks.md.
#[utoipa::path(
    post, path = "/2/httpapi", tag = "SDKs", operation_id = "amplitude",
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The events are durable", body = Ingested),
        (status = 400, description = "The body cannot be read, an event was refused, or the key is not good", body = Refused),
        (status = 413, description = "Too many bytes or events", body = Refused),
        (status = 429, description = "More events than the project may send; try again after `Retry-After`", body = Refused),
        (status = 503, description = "Not durable; try again after `Retry-After`", body = Refused),
    ),
    security(("body_key" = [])),
)]
pub(super) async fn send(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    match take(&request, payload, &state, true, translate).await {
        Ok(Taken { outcome: Outcome::Refused, verdicts, quota, .. }) => {
            told(quota, HttpResponse::BadRequest().json(Refused::from(verdicts)))
        }
        Ok(Taken { verdicts, bytes, quota, .. }) => {
            let ingested = Ingested {
                code: 200,
                events_ingested: verdicts.accepted + verdicts.duplicates,
                payload_size_bytes: bytes,
                server_upload_time: Utc::now().timestamp_millis(),
            };
            told(quota, HttpResponse::Ok().json(ingested))
        }
        Err(problem) => refused(&problem),
    }
}

fn refused(problem: &Problem) -> HttpResponse {
    // 400 with these words is what ends the retries of its SDKs; they go on after a 401.
    let (status, error) = match problem.code() {
        Code::Unauthenticated | Code::Forbidden | Code::OriginNotAllowed => {
            (StatusCode::BAD_REQUEST, format!("Invalid API key: {}", problem.detail()))
        }
        code => (code.status(), problem.detail().to_owned()),
    };
    let body = json!({"code": status.as_u16(), "error": error}).to_string();
    let mut response = reworded(problem, "application/json", body);
    *response.status_mut() = status;
    response
}

/// The answer when all events were taken.
#[derive(Debug, Serialize, ToSchema)]
struct Ingested {
    /// 200.
    code: u16,
    /// How many there were, those that had come before included.
    events_ingested: u64,
    /// The size of the body, inflated.
    payload_size_bytes: usize,
    /// Milliseconds since 1970.
    server_upload_time: i64,
}

/// The answer when none was.
#[derive(Debug, Serialize, ToSchema)]
struct Refused {
    /// The status.
    code: u16,
    /// The reason, for people.
    error: String,
    /// The places of the events at fault, by field; SDKs send the others again. Absent when the request as a whole is
    /// refused.
    #[schema(required = false)]
    events_with_invalid_fields: BTreeMap<String, Vec<usize>>,
}

impl From<Verdicts> for Refused {
    fn from(verdicts: Verdicts) -> Self {
        let mut fields = BTreeMap::<String, Vec<usize>>::new();
        let error = verdicts.errors.first().map(|error| error.message.clone()).unwrap_or_default();
        for error in verdicts.errors {
            fields.entry(error.field.unwrap_or_else(|| "event".to_owned())).or_default().push(error.index);
        }
        Self { code: 400, error, events_with_invalid_fields: fields }
    }
}
