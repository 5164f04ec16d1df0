//! Mixpanel.

use std::collections::HashMap;

use actix_web::http::Method;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use millrace_http::problem::Problem;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::denials::OneOrZero;
use super::request::{Taken, is_verbose, reworded, take, take_with, told};
use crate::admit::Outcome;
use crate::sdk::mixpanel::profiles::{self, Profile};
use crate::sdk::mixpanel::{translate, translate_import};
use crate::state::State;
use crate::verdicts::{EventError, Verdicts};

/// Mixpanel: events as they happen
///
/// `data=` in Base64 or plain in the query string or a form, or JSON. The answer is `1` or `0`; with `verbose=1` it says why.
/// What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/track", tag = "SDKs", operation_id = "mixpanel_track",
    request_body = serde_json::Value,
    responses(OneOrZero),
    security(("body_key" = [])),
)]
pub(super) async fn track(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    short(&request, take(&request, payload, &state, false, translate).await)
}

/// Mixpanel: events of any time
///
/// An array or an event a line. Events at fault are named, the others are taken. Sent as `data=`, it is answered like
/// `/track`, except when the request is refused as a whole. What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/import", tag = "SDKs", operation_id = "mixpanel_import",
    request_body = serde_json::Value,
    responses(
        (status = 200, description = "The events are durable", body = Imported),
        (status = 400, description = "The body cannot be read, or some events were refused", body = Imported),
        (status = 401, description = "No key, or not a live one", body = Imported),
        (status = 403, description = "The key lacks the scope `ingest`, or the project does not list the page's origin", body = Imported),
        (status = 413, description = "Too many bytes or events", body = Imported),
        (status = 429, description = "More events than the project may send; try again after `Retry-After`", body = Imported),
        (status = 503, description = "Not durable; try again after `Retry-After`", body = Imported),
    ),
    security(("write_key" = []), ("body_key" = [])),
)]
pub(super) async fn import(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let answer = take_with(&request, payload, &state, false, translate_import).await;
    let media = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = media.starts_with("application/x-www-form-urlencoded");
    match answer {
        answer if request.method() == Method::GET => short(&request, answer),
        Ok(taken) if is_form => short(&request, Ok(taken)),
        Ok(Taken { verdicts, quota, also: insert_ids, .. }) => {
            let imported = Imported::of(verdicts, insert_ids);
            let mut answer =
                if imported.code == 200 { HttpResponse::Ok() } else { HttpResponse::BadRequest() };
            told(quota, answer.json(imported))
        }
        // A form that was not read, because the key in a header is not good, may have asked for JSON.
        Err(problem) => {
            let body =
                json!({"code": problem.status_code().as_u16(), "error": problem.detail(), "status": "error"});
            reworded(&problem, "application/json", body.to_string())
        }
    }
}

/// Mixpanel: what is known of users
///
/// Each update is an event `$set`, with the operations as its properties. Answered like `/track`. What maps to what:
/// docs/sdks.md.
#[utoipa::path(
    post, path = "/engage", tag = "SDKs", operation_id = "mixpanel_engage",
    request_body = serde_json::Value,
    responses(OneOrZero),
    security(("body_key" = [])),
)]
pub(super) async fn engage(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let translate = |body: &[u8], now| profiles::translate(body, Profile::User, now);
    short(&request, take(&request, payload, &state, false, translate).await)
}

/// Mixpanel: what is known of groups
///
/// Each update is an event `$groupidentify`, with the operations as its properties, of the user `<key>:<id>`. Answered
/// like `/track`. What maps to what: docs/sdks.md.
#[utoipa::path(
    post, path = "/groups", tag = "SDKs", operation_id = "mixpanel_groups",
    request_body = serde_json::Value,
    responses(OneOrZero),
    security(("body_key" = [])),
)]
pub(super) async fn groups(
    request: HttpRequest,
    payload: web::Payload,
    state: web::Data<State>,
) -> HttpResponse {
    let translate = |body: &[u8], now| profiles::translate(body, Profile::Group, now);
    short(&request, take(&request, payload, &state, false, translate).await)
}

/// `1` or `0`, or why.
fn short<T>(request: &HttpRequest, answer: Result<Taken<T>, Problem>) -> HttpResponse {
    let says = |error: Option<&str>| match (is_verbose(request), error) {
        (false, None) => ("text/plain", "1".to_owned()),
        (false, Some(_)) => ("text/plain", "0".to_owned()),
        (true, None) => ("application/json", json!({"status": 1, "error": null}).to_string()),
        (true, Some(error)) => ("application/json", json!({"status": 0, "error": error}).to_string()),
    };
    match answer {
        Ok(Taken { outcome, verdicts, quota, .. }) => {
            let error = verdicts.errors.first().filter(|_| outcome == Outcome::Refused);
            let (media, body) = says(error.map(|error| error.message.as_str()));
            told(quota, HttpResponse::Ok().content_type(media).body(body))
        }
        Err(problem) => {
            let (media, body) = says(Some(problem.detail()));
            reworded(&problem, media, body)
        }
    }
}

/// What became of an import.
#[derive(Debug, Serialize, ToSchema)]
struct Imported {
    /// 200, or 400 when events were refused.
    code: u16,
    /// Events that are durable, those that had come before included. Absent when the request as a whole is refused.
    #[schema(required = false)]
    num_records_imported: u64,
    /// `OK`, `Bad Request`, or `error` when the request as a whole is refused.
    status: &'static str,
    /// That events were refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Which, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_records: Vec<FailedRecord>,
}

/// An event that was refused.
#[derive(Debug, Serialize, ToSchema)]
struct FailedRecord {
    /// Its place in the request, from 0.
    index: usize,
    /// Its `$insert_id`, as far as it could be read.
    #[serde(rename = "$insert_id", skip_serializing_if = "Option::is_none")]
    insert_id: Option<String>,
    /// The field at fault, when it is one.
    field: Option<String>,
    /// The reason, for people.
    message: String,
}

impl Imported {
    fn of(verdicts: Verdicts, mut insert_ids: HashMap<usize, String>) -> Self {
        let num_records_imported = verdicts.accepted + verdicts.duplicates;
        let failed_records: Vec<FailedRecord> = verdicts
            .errors
            .into_iter()
            .map(|EventError { index, field, message, .. }| {
                let insert_id = insert_ids.remove(&index);
                FailedRecord { index, insert_id, field, message }
            })
            .collect();
        if failed_records.is_empty() {
            return Self { code: 200, num_records_imported, status: "OK", error: None, failed_records };
        }
        let error = Some("some data points in the request failed validation");
        Self { code: 400, num_records_imported, status: "Bad Request", error, failed_records }
    }
}
