//! One id per request, from the caller if it is well-formed, on the response, in every log line and error.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use uuid::Uuid;

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CHARS: usize = 128;

tokio::task_local! {
    static CURRENT: RefCell<Option<RequestId>>;
}

/// A request's id: 1 to 128 letters, digits, or any of `-_.:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Rc<str>);

impl RequestId {
    /// The caller's id, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = !text.is_empty()
            && text.len() <= MAX_CHARS
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
        well_formed.then(|| Self(text.into()))
    }

    /// A new id.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id of the request being served by this task.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|id| id.borrow().clone()).ok().flatten()
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives the request its id and the response the header. The outermost middleware, so that whatever the others
/// answer carries it too.
///
/// # Errors
/// Those of the service inside, as responses.
pub async fn middleware<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<actix_web::body::EitherBody<B>>, Error> {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(RequestId::parse)
        .unwrap_or_else(RequestId::generate);
    request.extensions_mut().insert(id.clone());
    let (http_request, payload) = request.into_parts();
    let request = ServiceRequest::from_parts(http_request.clone(), payload);
    let scope = RefCell::new(Some(id.clone()));
    let mut response = CURRENT
        .scope(scope, async {
            match next.call(request).await {
                Ok(response) => response.map_into_left_body(),
                // Rendered here, while the id is known to the task.
                Err(error) => {
                    ServiceResponse::new(http_request, error.error_response()).map_into_right_body()
                }
            }
        })
        .await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_ids_are_taken_over() {
        assert!(RequestId::parse("checkout-7:attempt_2.b").is_some());
        for bad in ["", "a b", "a\"b", "ü", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_none(), "{bad}");
        }
    }
}
