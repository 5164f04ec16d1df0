//! Bodies that come as JSON or, from OAuth clients, as a form.

use actix_web::{HttpRequest, web};
use millrace_http::json::{self, media_type};
use millrace_http::problem::{Code, Problem};
use millrace_http::{body, query};
use serde::de::DeserializeOwned;

const MAX_BYTES: usize = 16 * 1024;

/// Reads a `J`, or an `F` that stands for one.
///
/// # Errors
/// 400, 413, 415 or 422, as for every body.
pub(super) async fn read<J, F>(request: &HttpRequest, payload: web::Payload) -> Result<J, Problem>
where
    J: DeserializeOwned,
    F: DeserializeOwned + Into<J>,
{
    let body = body::read(request.headers(), payload, MAX_BYTES).await?;
    match media_type(request.headers()).as_str() {
        "application/json" => json::parse(&body),
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(&body)
                .map_err(|_not_utf8| Problem::new(Code::Malformed, "the form is not UTF-8"))?;
            query::parse::<F>(text).map(Into::into)
        }
        _ => {
            let detail = "send the body as `application/json` or `application/x-www-form-urlencoded`";
            Err(Problem::new(Code::UnsupportedMedia, detail))
        }
    }
}
