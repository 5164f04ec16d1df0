//! Every route of the gateway on one screen. Health and metrics are mounted by the runtime; the table of what is
//! passed on is [`upstreams::ROUTES`].

use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::{Condition, Next, from_fn};
use actix_web::web::{Bytes, Redirect};
use actix_web::{HttpRequest, HttpResponse, web};
use millrace_http::methods::Methods;
use millrace_http::serve::nothing_here;
use utoipa_swagger_ui::{self as swagger_ui, SwaggerUi};

use crate::browser_session::{self, BrowserSessions};
use crate::cors;
use crate::limits::{self, RouteClass};
use crate::live;
use crate::notifications::{self, since};
use crate::proxy::Proxy;
use crate::sockets::{Sockets, tickets};
use crate::state::State;
use crate::upstreams::{self, PerUpstream, Upstream, liveness};

/// Where the API is described for programs.
const API_DOCUMENT: &str = "/api/v1/openapi.json";
/// Where it is described for people.
pub(crate) const DOCUMENTATION: &str = "/docs/";
/// What somebody missed.
const NOTIFICATIONS: &str = "/api/v1/notifications";
/// The gateway's own routes and their methods. Those of health are the runtime's, and not among them.
const OWN: [(&str, &str); 7] = [
    ("/", "GET, HEAD"),
    (API_DOCUMENT, "GET, HEAD"),
    ("/docs", "GET, HEAD"),
    (NOTIFICATIONS, "GET, HEAD"),
    ("/api/v1/live", "GET"),
    ("/ws/notifications", "GET"),
    ("/api/v1/live/tickets", "POST"),
];

/// Whether a path is that of a page which the gateway answers itself.
pub(crate) fn is_own_page(path: &str) -> bool {
    ["/", API_DOCUMENT, "/docs", NOTIFICATIONS].contains(&path) || path.starts_with(DOCUMENTATION)
}

/// Mounts the routes, with connections to the services of this worker's own.
pub fn configure(
    service: &mut web::ServiceConfig,
    state: &Arc<State>,
    sessions: &Arc<BrowserSessions>,
    sockets: &Arc<Sockets>,
) {
    let document = state.api_document.clone();
    let swagger = SwaggerUi::new("/docs/{file:.*}").config(swagger_ui::Config::from(API_DOCUMENT));
    service
        .app_data(Methods::from_iter(OWN))
        .route("/", web::get().to(welcome))
        .route(API_DOCUMENT, web::get().to(move || std::future::ready(describe(document.clone()))))
        .route("/docs", web::get().to(|| async { Redirect::to(DOCUMENTATION).permanent() }));
    configure_sockets(service, state, sockets);
    let proxy = |upstream| Rc::new(Proxy::new(upstream, Arc::clone(state)));
    let proxies = PerUpstream::each(proxy);
    // Whole paths, compared as texts: they cost who asks for something else next to nothing.
    for upstream in Upstream::ALL {
        let (proxy, limiter) = (Rc::clone(proxies.of(upstream)), Arc::clone(&state.limiter));
        let limit = move |request: ServiceRequest, next: Next<_>| {
            limits::middleware(Arc::clone(&limiter), RouteClass::Api, request, next)
        };
        let alive = web::resource(liveness::through_the_gateway(upstream.name()))
            .to(move |request, body| Rc::clone(&proxy).pass(request, body, Some(liveness::PATH)));
        service.service(alive.wrap(from_fn(limit)));
    }
    upstreams::mount(service, |resource, upstream| {
        let (proxy, sessions) = (Rc::clone(proxies.of(upstream)), Arc::clone(sessions));
        let session = move |request: ServiceRequest, next: Next<_>| {
            browser_session::middleware(Arc::clone(&sessions), request, next)
        };
        let limiter = Arc::clone(&state.limiter);
        let limit = move |request: ServiceRequest, next: Next<_>| {
            let class = RouteClass::of(request.path());
            limits::middleware(Arc::clone(&limiter), class, request, next)
        };
        // Ingest knows programs alone, whose libraries run on pages that have cookies of ours, and counts their events.
        let for_people = upstream != Upstream::Ingest;
        let (origins, cors) = match upstream {
            Upstream::Ingest => (&state.cors_ingest, cors::policy_of_ingest(&state.cors_ingest)),
            _ => (&state.cors_api, cors::policy(&state.cors_api)),
        };
        resource
            .to(move |request: HttpRequest, body: web::Payload| Rc::clone(&proxy).pass(request, body, None))
            .wrap(Condition::new(for_people, from_fn(session)))
            // Outside the sessions: a cookie that is made up costs a question to auth.
            .wrap(Condition::new(for_people, from_fn(limit)))
            // Outside the limits: a preflight costs nothing, and a page may read why it was refused.
            .wrap(Condition::new(origins.some(), cors))
    });
    // Last: it is found by a regular expression, which others need not be held against.
    service.service(swagger);
}

/// Mounts the routes of what is told while it happens.
fn configure_sockets(service: &mut web::ServiceConfig, state: &Arc<State>, sockets: &Arc<Sockets>) {
    let limit = || {
        let limiter = Arc::clone(&state.limiter);
        from_fn(move |request: ServiceRequest, next: Next<_>| {
            limits::middleware(Arc::clone(&limiter), RouteClass::Api, request, next)
        })
    };
    service.app_data(web::Data::from(Arc::clone(sockets)));
    for (path, opens) in [
        ("/api/v1/live", web::get().to(live::open)),
        ("/ws/notifications", web::get().to(notifications::open)),
    ] {
        let resource = web::resource(path).route(opens).default_service(web::to(nothing_here));
        service.service(resource.wrap(limit()));
    }
    for (path, answers) in
        [("/api/v1/live/tickets", web::post().to(tickets::give)), (NOTIFICATIONS, web::get().to(since::list))]
    {
        let resource =
            web::resource(path).route(answers).default_service(web::to(nothing_here)).wrap(limit());
        service.service(resource.wrap(Condition::new(state.cors_api.some(), cors::policy(&state.cors_api))));
    }
}

/// What this is, for someone who opens the address in a browser.
async fn welcome() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({
        "name": "millrace",
        "version": env!("CARGO_PKG_VERSION"),
        "links": {"documentation": DOCUMENTATION, "api": API_DOCUMENT, "source": env!("CARGO_PKG_REPOSITORY"), "health": "/health", "ready": "/health/ready"},
    }))
}

/// What the API has, in OpenAPI.
fn describe(document: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(document)
}
