//! An HTTP server with everything that is the same in every service.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use tokio_util::sync::CancellationToken;

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
    let mut server = HttpServer::new(move || {
        App::new()
            .configure(&routes)
            .default_service(web::to(nothing_here))
            .wrap(from_fn(early_answer::middleware))
            .wrap(from_fn(observe::middleware))
            .wrap(from_fn(request_id::middleware))
    })
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

/// Has a server without signals of its own let its requests in hand finish when `shutdown` is cancelled. Not
/// `shutdown_signal`: where actix's own runtime is, as in tests, that ends every server in it.
pub fn stop_when_cancelled(server: &Server, shutdown: CancellationToken) {
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    });
}

/// Answers for a path that nobody has.
///
/// # Errors
/// Always: 404.
pub async fn nothing_here(request: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(Problem::new(Code::NotFound, format!("there is no {} {}", request.method(), request.path())))
}
