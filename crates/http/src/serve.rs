//! An HTTP server with everything that is the same in every service.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpRequest, HttpResponse, HttpServer, ResponseError, web};
use tokio_util::sync::CancellationToken;

use crate::methods::{self, Methods};
use crate::problem::{Code, Problem};
use crate::{early_answer, observe, request_id};

/// How long a client may take to send a request's head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. Longer than any client of ours keeps one, so that it is always the client
/// who closes and no request meets a closing connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Where a service listens.
#[derive(Debug)]
pub struct Listener {
    /// For everybody.
    pub net: TcpListener,
    /// A socket in the file system, for neighbours on this machine. Whoever may open it is trusted as a proxy on this
    /// machine is ([`crate::client_address`]).
    pub unix: Option<UnixListener>,
}

impl From<TcpListener> for Listener {
    fn from(net: TcpListener) -> Self {
        Self { net, unix: None }
    }
}

/// Starts to serve `routes`: until `shutdown`, and then lets requests in hand finish for at most `grace`.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<R>(
    listener: impl Into<Listener>,
    routes: R,
    shutdown: CancellationToken,
    grace: Duration,
) -> std::io::Result<Server>
where
    R: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let Listener { net, unix } = listener.into();
    let mut server = HttpServer::new(move || app(&routes))
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(grace.as_secs())
        .disable_signals()
        .listen(net)?;
    if let Some(unix) = unix {
        server = server.listen_uds(unix)?;
    }
    let server = server.run();
    stop_when_cancelled(&server, shutdown);
    Ok(server)
}

/// What every request goes through before its route and every answer after it, outermost last.
pub(crate) fn app<R>(
    routes: &R,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<R>>,
        Error = Error,
        InitError = (),
    > + use<R>,
>
where
    R: Fn(&mut web::ServiceConfig) + Clone,
{
    App::new()
        .configure(routes)
        .default_service(web::to(nothing_here))
        .wrap(from_fn(innermost))
        .wrap(from_fn(observe::middleware))
        .wrap(from_fn(request_id::middleware))
}

/// What is next to the routes, in one layer: each costs every request allocations of its own.
async fn innermost<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    methods::head_as_get(&mut request);
    early_answer::middleware(request, next).await
}

/// Has a server without signals of its own let its requests in hand finish when `shutdown` is cancelled. Not
/// `shutdown_signal`: where actix's own runtime is, as in tests, that ends every server in it.
pub fn stop_when_cancelled(server: &Server, shutdown: CancellationToken) {
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    });
}

/// Answers for a path that nobody has: 404; or that has other methods, as far as [`Methods`] knows them: 405.
pub async fn nothing_here(request: HttpRequest) -> HttpResponse {
    let (method, path) = (request.method(), request.path());
    let methods = request.app_data::<Methods>();
    let allow = request.match_pattern().and_then(|pattern| methods?.allowed(&pattern));
    let Some(allow) = allow.filter(|allow| allow.split(", ").all(|allowed| allowed != method.as_str()))
    else {
        return Problem::new(Code::NotFound, format!("there is no {method} {path}")).error_response();
    };
    let detail = format!("{path} has no {method}, but {allow}");
    let mut answer = Problem::new(Code::MethodNotAllowed, detail).error_response();
    if let Ok(allow) = HeaderValue::from_str(allow) {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

#[cfg(test)]
mod tests {
    use actix_web::http::Method;
    use actix_web::test::{TestRequest, call_service, init_service};
    use utoipa::openapi::OpenApiBuilder;

    use super::*;

    #[actix_web::test]
    async fn a_path_says_which_methods_it_has() {
        let described = r#"{"/things/{id}": {"get": {"responses": {}}, "delete": {"responses": {}}}}"#;
        let mut document = OpenApiBuilder::new().build();
        document.paths = serde_json::from_str(described).unwrap();
        let app = App::new()
            .app_data(Methods::of(&document))
            .route("/things/{id}", web::get().to(|| async { "a thing" }))
            .route("/secret", web::get().to(|| async { "a secret" }))
            .default_service(web::to(nothing_here))
            .wrap(from_fn(innermost));
        let app = init_service(app).await;
        for (method, path, status, allow) in [
            (Method::GET, "/things/7", 200, None),
            (Method::HEAD, "/things/7", 200, None),
            (Method::PUT, "/things/7", 405, Some("GET, HEAD, DELETE")),
            (Method::PUT, "/things", 404, None),
            (Method::POST, "/secret", 404, None),
        ] {
            let request = TestRequest::with_uri(path).method(method.clone()).to_request();
            let answer = call_service(&app, request).await;
            let told = answer.headers().get(ALLOW).map(|allow| allow.to_str().unwrap());
            assert_eq!((answer.status().as_u16(), told), (status, allow), "{method} {path}");
        }
    }
}
