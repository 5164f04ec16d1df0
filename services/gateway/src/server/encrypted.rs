//! The listener with TLS. What a client and this side agree on while they greet each other (ALPN, RFC 7301) decides who
//! reads the connection: actix for HTTP/1.1, hyper for HTTP/2 ([`super::http2`]). Both have the same routes answer.

use std::fmt::Debug;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use actix_http::{HttpService, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_tls::accept::rustls_0_23::Acceptor;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use millrace_http::serve::KEEP_ALIVE;
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use super::http2;

const HTTP_2: &[u8] = b"h2";
const HTTP_1_1: &[u8] = b"http/1.1";

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For its first request.
    pub(super) client: Duration,
    /// For the requests in hand, once the server stops.
    pub(super) grace: Duration,
}

/// Prepares to serve what `app` makes for each worker.
pub(super) fn serve<F, I, S, B>(
    listener: TcpListener,
    app: F,
    mut tls: ServerConfig,
    patience: Patience,
    shutdown: CancellationToken,
) -> io::Result<Server>
where
    F: Fn() -> I + Clone + Send + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Service: 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    tls.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1_1.to_vec()];
    let connections = move || {
        let (app, tls, shutdown) = (app.clone(), tls.clone(), shutdown.clone());
        fn_factory(move || {
            let (shutdown, mut acceptor) = (shutdown.clone(), Acceptor::new(tls.clone()));
            acceptor.set_handshake_timeout(patience.client);
            let app = map_config(app().into_factory(), |()| AppConfig::default()).new_service(());
            async move {
                let acceptor = ServiceFactory::<TcpStream>::new_service(&acceptor, ()).await?;
                let app =
                    Rc::new(app.await.map_err(|error| tracing::error!(?error, "the routes are broken"))?);
                let shared = Rc::clone(&app);
                let stopping = shutdown.clone();
                let http1 = HttpService::build()
                    .keep_alive(KEEP_ALIVE)
                    .client_request_timeout(patience.client)
                    .h1_write_buffer_size(super::WRITE_BUFFER)
                    .graceful_shutdown_signal(move || stopping.clone().cancelled_owned())
                    .h1(fn_service(move |request| shared.call(request)))
                    .new_service(())
                    .await?;
                let (acceptor, http1) = (Rc::new(acceptor), Rc::new(http1));
                Ok::<_, ()>(fn_service(move |stream: TcpStream| {
                    let (acceptor, http1) = (Rc::clone(&acceptor), Rc::clone(&http1));
                    let (app, shutdown) = (Rc::clone(&app), shutdown.clone());
                    async move {
                        let peer = stream.peer_addr().ok();
                        // Fails without Nagle's algorithm being off, and goes on as well.
                        let _ = stream.set_nodelay(true);
                        let stream = acceptor.call(stream).await.map_err(not_served)?;
                        if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
                            http2::serve(stream, peer, app, patience, shutdown).await;
                            return Ok(());
                        }
                        http1.call((stream, peer)).await.map_err(not_served)
                    }
                }))
            }
        })
    };
    let grace = patience.grace.as_secs();
    Ok(Server::build()
        .listen("https", listener, connections)?
        .shutdown_timeout(grace)
        .disable_signals()
        .run())
}

/// What strangers do to their own connections is theirs.
fn not_served(error: impl Debug) {
    tracing::debug!(?error, "a connection with TLS ended");
}
