//! What every request goes through before its route and every answer after it, outermost last.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use millrace_http::public_side::OverTls;
use millrace_http::serve::{KEEP_ALIVE, nothing_here, stop_when_cancelled};
use millrace_http::{observe, request_id};
use rustls::ServerConfig;
use socket2::SockRef;
use tokio_util::sync::CancellationToken;

mod encrypted;
mod http2;

use encrypted::Patience;

use crate::state::State;
use crate::threshold;

/// How many bytes of answers a connection over HTTP/1.1 gathers before it writes them. Buffers begin with 8 KiB and keep
/// what they have grown to, for as long as the connection lasts: thousands of sockets must not each keep room for the
/// largest frame they were ever sent.
pub(crate) const WRITE_BUFFER: usize = 4 * 1024;

/// Starts to serve `routes`, over HTTP/1.1, and with TLS also over HTTP/2: until `shutdown`, and then lets requests in hand finish for at most `grace`.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<R>(
    listener: TcpListener,
    routes: R,
    state: &Arc<State>,
    tls: Option<ServerConfig>,
    shutdown: CancellationToken,
    grace: Duration,
) -> std::io::Result<Server>
where
    R: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    // What is accepted inherits it: a client that takes nothing for so long is cut off by the system, whatever waits for
    // it here.
    SockRef::from(&listener).set_tcp_user_timeout(Some(state.upstream_timeout))?;
    let client_timeout = state.client_timeout;
    let trusted_proxies = state.trusted_proxies.clone();
    let over_tls = tls.as_ref().map(|_| OverTls);
    let app = move || {
        let trusted_proxies = trusted_proxies.clone();
        let app = App::new()
            .configure(&routes)
            .default_service(web::to(nothing_here))
            .wrap(from_fn(move |request, next| threshold::middleware(trusted_proxies.clone(), request, next)))
            .wrap(from_fn(observe::middleware))
            .wrap(from_fn(request_id::middleware));
        match over_tls {
            Some(over_tls) => app.app_data(over_tls),
            None => app,
        }
    };
    let stopping = shutdown.clone();
    let server = match tls {
        Some(tls) => {
            let patience = Patience { client: client_timeout, grace };
            encrypted::serve(listener, app, tls, patience, stopping)?
        }
        None => HttpServer::new(app)
            .client_request_timeout(client_timeout)
            .keep_alive(KEEP_ALIVE)
            .h1_write_buffer_size(WRITE_BUFFER)
            .shutdown_timeout(grace.as_secs())
            .disable_signals()
            .listen(listener)?
            .run(),
    };
    stop_when_cancelled(&server, shutdown);
    Ok(server)
}
