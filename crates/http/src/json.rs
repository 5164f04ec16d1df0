//! JSON bodies as types.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::body;
use crate::problem::{Code, Problem};

/// A JSON body of at most so many KiB, deserialised: 64 unless the route says another number. Events have a reader of their
/// own. Use `#[serde(deny_unknown_fields)]`, as for
/// [`Query`](crate::query::Query).
#[derive(Debug)]
pub struct Json<T, const KIB: usize = 64>(pub T);

impl<T: DeserializeOwned + 'static, const KIB: usize> FromRequest for Json<T, KIB> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let media_type = media_type(request.headers());
            if media_type != "application/json" {
                return Err(Problem::new(Code::UnsupportedMedia, "send the body as `application/json`"));
            }
            let payload = payload.await.map_err(|error| Problem::internal(&error))?;
            parse(&body::read(request.headers(), payload, KIB * 1024).await?).map(Self)
        })
    }
}

/// The media type that a request announces, in lower case and without parameters; empty when it announces none.
#[must_use]
pub fn media_type(headers: &HeaderMap) -> String {
    let announced = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    announced.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads JSON.
///
/// # Errors
/// 400 for what is not JSON, 422 for JSON that is something else, with the field.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match error.inner().classify() {
            Category::Data => wrong_field(&path, &error.inner().to_string()),
            _ => Problem::new(Code::Malformed, format!("the body is not JSON: {}", error.inner())),
        }
    })?;
    json.end().map_err(|error| Problem::new(Code::Malformed, format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// serde names a field that is missing or unknown in its message, and one with a wrong value by the path to it.
fn wrong_field(path: &str, message: &str) -> Problem {
    let parent = if path == "." { "" } else { path };
    let named = |prefix: &str| Some(message.strip_prefix(prefix)?.split_once('`')?.0);
    let child = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    match (named("missing field `"), named("unknown field `")) {
        (Some(name), _) => Problem::field(&child(name), "missing", message),
        // The path leads to the unknown field itself.
        (_, Some(name)) if parent.ends_with(name) => Problem::field(parent, "unknown", message),
        (_, Some(name)) => Problem::field(&child(name), "unknown", message),
        _ => Problem::field(if parent.is_empty() { "body" } else { parent }, "invalid", message),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;
    use actix_web::body::to_bytes;
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether they can be read matters")]
    struct Order {
        item: Item,
        counts: Vec<u8>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether they can be read matters")]
    struct Item {
        name: String,
    }

    async fn fault(body: &str) -> (u16, String, String) {
        let answer = parse::<Order>(body.as_bytes()).unwrap_err().error_response();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&to_bytes(answer.into_body()).await.unwrap()).unwrap();
        let text = |name: &str| body["errors"][0][name].as_str().unwrap_or_default().to_owned();
        (status, text("field"), text("code"))
    }

    #[actix_web::test]
    async fn every_fault_names_its_field() {
        for (body, field, code) in [
            (r#"{"item":{"name":"a"}}"#, "counts", "missing"),
            (r#"{"item":{},"counts":[]}"#, "item.name", "missing"),
            (r#"{"item":{"name":"a"},"counts":[],"x":1}"#, "x", "unknown"),
            (r#"{"item":{"name":"a","x":1},"counts":[]}"#, "item.x", "unknown"),
            (r#"{"item":{"name":5},"counts":[]}"#, "item.name", "invalid"),
            (r#"{"item":{"name":"a"},"counts":[1,300]}"#, "counts[1]", "invalid"),
            ("[]", "body", "invalid"),
        ] {
            assert_eq!(fault(body).await, (422, field.to_owned(), code.to_owned()), "{body}");
        }
    }

    #[actix_web::test]
    async fn what_is_not_json_is_malformed() {
        for body in ["", "{", "not json", r#"{"item":{"name":"a"},"counts":[]} x"#] {
            assert_eq!(fault(body).await.0, 400, "{body}");
        }
        assert!(parse::<Order>(br#" {"item":{"name":"a"},"counts":[]} "#).is_ok());
    }
}
