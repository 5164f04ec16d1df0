//! Every route of the gateway on one screen. Health and metrics are mounted by the runtime; the table of what is
//! passed on is [`upstreams::ROUTES`].

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::middleware::{Next, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::browser_session::{self, BrowserSessions};
use crate::proxy::Proxy;
use crate::state::State;
use crate::upstreams::{self, Upstream};

/// Mounts the routes, with connections to the services of this worker's own.
pub fn configure(service: &mut web::ServiceConfig, state: &Arc<State>, sessions: &Arc<BrowserSessions>) {
    service.route("/", web::get().to(welcome));
    let proxy = |upstream| Rc::new(Proxy::new(upstream, Arc::clone(state)));
    let [auth, ingest, worker, analytics] =
        [Upstream::Auth, Upstream::Ingest, Upstream::Worker, Upstream::Analytics].map(proxy);
    upstreams::mount(service, |resource, upstream| {
        let proxy = match upstream {
            Upstream::Auth => &auth,
            Upstream::Ingest => &ingest,
            Upstream::Worker => &worker,
            Upstream::Analytics => &analytics,
        };
        let (proxy, sessions) = (Rc::clone(proxy), Arc::clone(sessions));
        let session = move |request: ServiceRequest, next: Next<_>| {
            browser_session::middleware(Arc::clone(&sessions), upstream, request, next)
        };
        resource
            .to(move |request: HttpRequest, body: web::Payload| Rc::clone(&proxy).pass(request, body))
            .wrap(from_fn(session))
    });
}

/// What this is, for someone who opens the address in a browser.
async fn welcome() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({
        "name": "millrace",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {"documentation": env!("CARGO_PKG_REPOSITORY"), "health": "/health", "ready": "/health/ready"},
    }))
}
