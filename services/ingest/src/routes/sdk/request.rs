//! What is the same for every family: find the key, read the body, translate, and on into the log.

use actix_web::body::MessageBody;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use millrace_domain::batch::MAX_REQUEST_BYTES;
use millrace_domain::draft::to_micros;
use millrace_http::authorized::{Authorized, Ingest};
use millrace_http::body;
use millrace_http::credentials::Credentials;
use millrace_http::problem::{Code, Problem};
use millrace_http::quota::Field;
use millrace_security::api_key::ApiKey;
use url::form_urlencoded;

use crate::admit::{Admission, Outcome, admit};
use crate::budget::Share;
use crate::errors::IngestError;
use crate::sdk::{Call, form};
use crate::sender::Sender;
use crate::split::SplitError;
use crate::state::State;
use crate::verdicts::Verdicts;
use crate::{aside, event_limit, event_origin};

/// The names that keys have in query strings.
const QUERY_KEYS: &[&str] = &["writeKey", "api_key", "token", "access_token"];
const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];

/// What became of a request.
pub(super) struct Taken<T = ()> {
    pub(super) outcome: Outcome,
    pub(super) verdicts: Verdicts,
    /// The size of the body, inflated.
    pub(super) bytes: usize,
    /// What the project may still send.
    pub(super) quota: Option<[Field; 2]>,
    /// What else the translation found.
    pub(super) also: T,
}

/// A form that asks for an answer that says why.
struct Verbose;

/// Whether the sender asked for an answer that says why, in the query string or in the form that was read.
pub(super) fn is_verbose(request: &HttpRequest) -> bool {
    request.extensions().contains::<Verbose>() || form::is_verbose(request.query_string().as_bytes())
}

/// An answer with the fields that tell what the project may still send.
pub(super) fn told(quota: Option<[Field; 2]>, mut answer: HttpResponse) -> HttpResponse {
    for (name, value) in quota.into_iter().flatten() {
        answer.headers_mut().insert(name, value);
    }
    answer
}

/// Takes a request whose events `translate` finds in its body.
pub(super) async fn take(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    strict: bool,
    translate: impl FnOnce(&[u8], DateTime<Utc>) -> Result<Call, SplitError> + Send + 'static,
) -> Result<Taken, Problem> {
    take_with(request, payload, state, strict, |body, now| Ok((translate(body, now)?, ()))).await
}

/// Takes a request in which `translate` finds more than events.
pub(super) async fn take_with<T: Send + 'static>(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
    strict: bool,
    translate: impl FnOnce(&[u8], DateTime<Utc>) -> Result<(Call, T), SplitError> + Send + 'static,
) -> Result<Taken<T>, Problem> {
    let started = std::time::Instant::now();
    // Who shows the key before the body is turned away before it, too.
    let early = match key_outside(request) {
        Some(key) => Some(Authorized::<Ingest>::with(request, Credentials::Key(key)).await?),
        None => None,
    };
    let (body, _shares) = read(request, payload, state).await?;
    state.broker.has_room().map_err(IngestError::from)?;
    let (bytes, now) = (body.len(), to_micros(Utc::now()));
    let (call, also) = aside::parsed(bytes, move || translate(&body, now)).await?;
    let caller = match early {
        Some(caller) => caller,
        None => Authorized::with(request, Credentials::Key(key_inside(call.key.as_deref())?)).await?,
    };
    event_origin::check(state, caller.project_id, request.headers())?;
    let quota = event_limit::check(state, caller.project_id, call.parsed.sent).await?;
    let how = Admission { strict, wait_until_stored: false };
    let (outcome, verdicts) =
        admit(state, &Sender::of(state, &caller, request), call.parsed, how, now).await?;
    metrics::histogram!("ingestion_duration_seconds").record(started.elapsed());
    Ok(Taken { outcome, verdicts, bytes, quota, also })
}

/// The key in the headers or the query string. What is there and not a key of ours is passed over: it may be meant for
/// somebody else, such as the token of an OAuth server, and the key may be in the body.
pub(super) fn key_outside(request: &HttpRequest) -> Option<ApiKey> {
    let headers = request.headers();
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = header("x-api-key").and_then(ApiKey::parse) {
        return Some(key);
    }
    if let Some(key) = header(AUTHORIZATION.as_str()).and_then(in_authorization) {
        return Some(key);
    }
    form_urlencoded::parse(request.query_string().as_bytes())
        .filter(|(name, _)| QUERY_KEYS.contains(&name.as_ref()))
        .find_map(|(_, value)| ApiKey::parse(&value))
}

/// `Bearer <key>`, or `Basic` with the key for a user's name; the colon behind it may be missing.
fn in_authorization(header: &str) -> Option<ApiKey> {
    let (scheme, rest) = header.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return ApiKey::parse(rest.trim());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    ApiKey::parse(decoded.split(':').next().unwrap_or_default())
}

fn key_inside(key: Option<&str>) -> Result<ApiKey, Problem> {
    let unauthenticated = |detail: &str| Problem::new(Code::Unauthenticated, detail);
    let key = key.ok_or_else(|| unauthenticated("there is no ingest key where this SDK sends its key"))?;
    ApiKey::parse(key).ok_or_else(|| unauthenticated("what this SDK sends for a key is not an ingest key"))
}

/// The body as JSON, out of its compression and its form, and the memory that it has a share of.
async fn read(
    request: &HttpRequest,
    payload: web::Payload,
    state: &State,
) -> Result<(Bytes, Vec<Share>), Problem> {
    let mut shares = vec![state.budget.share(request.headers())?];
    let mut body = body::read(request.headers(), payload, MAX_REQUEST_BYTES).await?;
    if body.starts_with(GZIP_MAGIC) {
        // Browsers compress without a header, to be spared the question whether they may.
        shares.push(state.budget.for_inflating()?);
        body = body::gunzip(body, MAX_REQUEST_BYTES).await?;
    }
    let query = request.query_string().as_bytes();
    let form = match &body[..] {
        body if form::is_form(body) => body,
        [] if !query.is_empty() => query,
        _ => return Ok((body, shares)),
    };
    if form::is_verbose(form) {
        request.extensions_mut().insert(Verbose);
    }
    Ok((form::data(form).map_err(IngestError::from)?.into(), shares))
}

/// A problem in the words of an SDK, with the headers it has anyway.
pub(super) fn reworded(problem: &Problem, media: &'static str, body: String) -> HttpResponse {
    let mut response = problem.error_response().set_body(body.boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
