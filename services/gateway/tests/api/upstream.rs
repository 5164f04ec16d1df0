//! The far end, made with actix like the services are.

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    handle: ServerHandle,
}

impl Upstream {
    pub(crate) fn start(routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static) -> Self {
        Self::start_at(([127, 0, 0, 1], 0).into(), routes)
    }

    pub(crate) fn start_at(
        address: SocketAddr,
        routes: impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer::new(move || App::new().configure(&routes))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, handle }
    }

    /// Answers every request with what it was: its first line and its headers, one a line, and its body.
    pub(crate) fn mirror() -> Self {
        Self::start(|service| {
            service.default_service(web::to(mirror));
        })
    }

    /// Closes the listener and every connection.
    pub(crate) async fn stop(self) {
        self.handle.stop(false).await;
    }

    /// Closes the listener, and every connection when its request is answered.
    pub(crate) async fn stop_gracefully(&self) {
        self.handle.stop(true).await;
    }
}

async fn mirror(request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let mut seen = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        seen.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    seen.push('\n');
    seen.push_str(&String::from_utf8_lossy(&body));
    HttpResponse::Ok().body(seen)
}
