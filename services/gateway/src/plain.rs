//! Beside TLS, a door without it: it tells those who run the gateway how it is, and sends everybody else to TLS.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::header::LOCATION;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use millrace_http::problem::Problem;
use millrace_http::public_side::PublicUrl;
use millrace_http::serve::{HEAD_TIMEOUT, nothing_here, stop_when_cancelled};
use millrace_http::{observe, request_id};
use millrace_runtime::health::{self, Health};
use tokio_util::sync::CancellationToken;

/// Where to find this gateway with TLS. It is configured and not guessed: the `Host` of a request is its sender's word,
/// and the port may be another outside.
#[derive(Clone, Debug)]
pub struct Redirect(String);

impl Redirect {
    /// To the public address, if it has TLS.
    #[must_use]
    pub fn to(public: &PublicUrl) -> Option<Self> {
        let address = public.to_string();
        address.starts_with("https://").then_some(Self(address))
    }
}

/// Starts to serve: until `shutdown`.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    redirect: Option<Redirect>,
    shutdown: CancellationToken,
) -> std::io::Result<Server> {
    let health = web::Data::from(health);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(health.clone())
            .app_data(web::Data::new(redirect.clone()))
            .configure(health::routes)
            .default_service(web::to(send_on))
            .wrap(from_fn(observe::middleware))
            .wrap(from_fn(request_id::middleware))
    })
    .workers(1)
    .client_request_timeout(HEAD_TIMEOUT)
    .disable_signals()
    .listen(listener)?
    .run();
    stop_when_cancelled(&server, shutdown);
    Ok(server)
}

/// The same path with TLS, by the same method.
async fn send_on(request: HttpRequest, to: web::Data<Option<Redirect>>) -> Result<HttpResponse, Problem> {
    let Some(Redirect(origin)) = to.get_ref() else { return Ok(nothing_here(request).await) };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, format!("{origin}{target}"))).finish())
}
