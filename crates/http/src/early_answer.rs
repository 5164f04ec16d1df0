//! An answer that is given before the request's body was read.
//!
//! actix closes the connection of a request whose body is left unread, and a socket that is closed with bytes unread
//! resets the connection: the client may lose the very answer it was to read. So what is left of a small body is read
//! and thrown away first; a large one ends the connection, and the answer says so.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

/// More than this is not worth reading for a connection.
const DRAIN_BYTES: usize = 64 * 1024;
/// Nor is waiting longer for it.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Reads what an early answer left unread, or announces the end of the connection.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let headers = request.headers();
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    if !has_body {
        return next.call(request).await;
    }
    let mut body = Shared(Rc::new(RefCell::new(request.take_payload())));
    let lent: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(body.clone());
    request.set_payload(Payload::from(lent));
    let mut response = next.call(request).await?;
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if failed && !tokio::time::timeout(DRAIN_TIME, drain(&mut body)).await.unwrap_or(false) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// Whether the body ended before it became too much.
async fn drain(body: &mut Shared) -> bool {
    let mut drained = 0;
    while let Some(chunk) = body.next().await {
        drained += chunk.map_or(DRAIN_BYTES, |bytes| bytes.len());
        if drained >= DRAIN_BYTES {
            return false;
        }
    }
    true
}

/// A body that the handler reads, and that is still there when the handler is not.
#[derive(Clone)]
struct Shared(Rc<RefCell<Payload>>);

impl Stream for Shared {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::StatusCode;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[actix_web::test]
    async fn a_small_body_is_read_and_a_large_one_ends_the_connection() {
        let app = init_service(
            App::new()
                .route("/refuse", web::to(|| async { HttpResponse::Unauthorized().finish() }))
                .route("/accept", web::to(|body: Bytes| async move { HttpResponse::Accepted().body(body) }))
                .wrap(from_fn(middleware)),
        )
        .await;
        for (path, length, status, closes) in [
            ("/refuse", 2, 401, false),
            ("/refuse", DRAIN_BYTES, 401, true),
            ("/accept", DRAIN_BYTES, 202, false),
        ] {
            let request = TestRequest::post()
                .uri(path)
                .insert_header((CONTENT_LENGTH, length.to_string()))
                .set_payload(vec![b' '; length])
                .to_request();
            let response = call_service(&app, request).await;
            assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
            let close = response.response().head().connection_type() == ConnectionType::Close;
            assert_eq!(close, closes, "{path} with {length} bytes");
        }
    }
}
