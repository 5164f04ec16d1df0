//! An answer that is given before the request's body was read ends the connection, and says so.
//!
//! actix closes such a connection without a word: the rest of the body would be taken for the next request. A client
//! that was not told sends its next request into the closing connection and sees it fail.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;

/// Announces the end of the connection where it may come.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let headers = request.headers();
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() != b"0");
    let mut response = next.call(request).await?;
    if has_body && may_be_early(response.status()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// These two are said of a body that was read; any other error may come before.
fn may_be_early(status: StatusCode) -> bool {
    (status.is_client_error() || status.is_server_error())
        && !matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::CONTENT_LENGTH;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, web};

    use super::*;

    #[actix_web::test]
    async fn only_an_error_beside_an_unread_body_closes() {
        let app = init_service(
            App::new()
                .route("/refuse", web::to(|| async { HttpResponse::Unauthorized().finish() }))
                .route("/reject", web::to(|| async { HttpResponse::UnprocessableEntity().finish() }))
                .route("/accept", web::to(|| async { HttpResponse::Accepted().finish() }))
                .wrap(from_fn(middleware)),
        )
        .await;
        for (path, length, closes) in [
            ("/refuse", "2", true),
            ("/refuse", "0", false),
            ("/reject", "2", false),
            ("/accept", "2", false),
        ] {
            let request = TestRequest::post().uri(path).insert_header((CONTENT_LENGTH, length)).to_request();
            let response = call_service(&app, request).await;
            let close = response.response().head().connection_type() == ConnectionType::Close;
            assert_eq!(close, closes, "{path} with {length} bytes");
        }
    }
}
