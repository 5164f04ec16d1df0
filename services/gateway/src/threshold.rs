//! What every request meets on its way in, and its answer on its way out. One layer of the server, since each costs every
//! request its own allocations; what happens at it is told where the functions are that it calls.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};
use millrace_http::client_address::TrustedProxies;
use millrace_http::early_answer;
use millrace_http::methods::head_as_get;
use tracing::Span;
use tracing::field::display;

use crate::compression::{Compressed, compress};
use crate::{routes, screen, security_headers};

/// Refuses what is not to be looked at; lets the rest through, and compresses the answer. Either is told to browsers the
/// same way.
///
/// # Errors
/// Those of the service inside.
pub async fn middleware<B: MessageBody>(
    trusted_proxies: TrustedProxies,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<EitherBody<Compressed<B>, B>>>, Error> {
    let span = Span::current();
    if !span.is_disabled() {
        span.record("client", display(trusted_proxies.client(request.request())));
    }
    let mut answer = match screen::look(request.request()) {
        Ok(()) => admit(request, next).await?.map_into_left_body(),
        Err(problem) => request.into_response(problem.error_response()).map_into_right_body(),
    };
    let request = answer.request().clone();
    security_headers::add(&request, answer.headers_mut());
    Ok(answer)
}

async fn admit<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<Compressed<B>, B>>, Error> {
    let method = request.method().clone();
    // What is passed on stays what it is, and is its service's to answer.
    if method == Method::HEAD && routes::is_own_page(request.path()) {
        head_as_get(&mut request);
    }
    let answer = early_answer::middleware(request, next).await?;
    Ok(compress(&method, answer)?)
}
