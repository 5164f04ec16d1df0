//! One id per request, from the caller if it is well-formed, on the response, in every log line and error.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use uuid::Uuid;

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const MAX_CHARS: usize = 128;

tokio::task_local! {
    pub(crate) static CURRENT: RefCell<Option<RequestId>>;
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
/// The request is handed on and not kept: actix's router must own it alone, and panics when it does not.
///
/// # Errors
/// Those of the service inside, with their responses.
pub async fn middleware<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = request
        .headers()
        .get(HEADER)
        .and_then(|value| value.to_str().ok())
        .and_then(RequestId::parse)
        .unwrap_or_else(RequestId::generate);
    let header = HeaderValue::from_str(id.as_str()).ok();
    let named = |headers: &mut HeaderMap| {
        if let Some(value) = header {
            headers.insert(HEADER, value);
        }
    };
    let answered = async {
        match next.call(request).await {
            Ok(mut response) => {
                named(response.headers_mut());
                Ok(response)
            }
            Err(error) => {
                // Rendered here, while the id is known to the task.
                let mut response = error.error_response();
                named(response.headers_mut());
                Err(InternalError::from_response(error, response).into())
            }
        }
    };
    CURRENT.scope(RefCell::new(Some(id)), answered).await
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, read_body, try_call_service};
    use actix_web::{App, web};

    use super::*;
    use crate::problem::{Code, Problem};

    async fn refuse<B: MessageBody>(_: ServiceRequest, _: Next<B>) -> Result<ServiceResponse<B>, Error> {
        Err(Problem::new(Code::Forbidden, "not today").into())
    }

    #[actix_web::test]
    async fn a_handler_and_its_client_know_the_same_id() {
        let name = || async { RequestId::current().map(|id| id.to_string()).unwrap_or_default() };
        let app =
            init_service(App::new().route("/{any}", web::get().to(name)).wrap(from_fn(middleware))).await;
        let request = TestRequest::get().uri("/x").insert_header((HEADER, "checkout-7")).to_request();
        let response = try_call_service(&app, request).await.unwrap();
        assert_eq!(response.headers().get(HEADER).unwrap(), "checkout-7");
        assert_eq!(read_body(response).await, "checkout-7");
    }

    #[actix_web::test]
    async fn an_error_of_another_middleware_carries_it_too() {
        let app = init_service(App::new().wrap(from_fn(refuse)).wrap(from_fn(middleware))).await;
        let request = TestRequest::get().insert_header((HEADER, "checkout-7")).to_request();
        let error = try_call_service(&app, request).await.err().unwrap();
        let response = error.error_response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers().get(HEADER).unwrap(), "checkout-7");
        let body = actix_web::body::to_bytes(response.into_body()).await.ok().unwrap();
        assert!(body.windows(10).any(|part| part == b"checkout-7"), "{body:?}");
    }

    #[test]
    fn only_well_formed_ids_are_taken_over() {
        assert!(RequestId::parse("checkout-7:attempt_2.b").is_some());
        for bad in ["", "a b", "a\"b", "ü", &"x".repeat(129)] {
            assert!(RequestId::parse(bad).is_none(), "{bad}");
        }
    }
}
