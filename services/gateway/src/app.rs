//! The service, put together.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use millrace_cache::tickets::Tickets;
use millrace_http::cores::each_on_its_own;
use millrace_http::public_side::PublicSide;
use millrace_messaging::broker::Broker;
use millrace_messaging::browser_sessions::SessionOpener;
use millrace_runtime::health::{self, Health};
use millrace_runtime::launch::{Fault, Process, listen};
use millrace_runtime::lifecycle::Components;
use rustls::ServerConfig;
use tokio::runtime::Handle;

use crate::browser_session::BrowserSessions;
use crate::config::Config;
use crate::plain;
use crate::routes;
use crate::server::serve;
use crate::sockets::{SocketSettings, Sockets};
use crate::state::State;
use crate::tls::{self, Certificates};
use crate::upstreams::{Upstream, liveness};

/// The gateway publishes nothing; this bounds the broker's word on its health.
const BROKER_TIMEOUT: Duration = Duration::from_secs(2);

/// The gateway, ready to run.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    tls: Option<(ServerConfig, Certificates)>,
    plain: Option<TcpListener>,
    state: Arc<State>,
    health: Health,
    nats_url: String,
    tickets: Tickets,
    sockets: SocketSettings,
    public_side: PublicSide,
    process: Process,
    grace: Duration,
}

impl App {
    /// Takes its address. The services behind it may still be away: it tells clients so until they are there.
    ///
    /// # Errors
    /// When the address is taken, that of Redis is not one, or a certificate cannot be used.
    pub fn build(config: Config, process: Process) -> Result<Self, Fault> {
        let listener = listen(config.bind)?;
        let plain = config.plain_bind.map(listen).transpose()?;
        let tls = config.tls.clone().map(tls::load).transpose()?;
        let state = Arc::new(State::new(&config)?);
        Ok(Self {
            listener,
            plain,
            tls,
            health: health(&state, config.redis_url.is_some(), &process),
            state,
            nats_url: config.nats_url,
            tickets: Tickets::new(config.redis_url.as_deref())?,
            sockets: config.sockets,
            public_side: PublicSide { url: config.public_url, trusted: config.trusted_proxies },
            process,
            grace: config.shutdown_grace,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where it listens without TLS beside TLS.
    #[must_use]
    pub fn plain_address(&self) -> Option<SocketAddr> {
        self.plain.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// When a component fails.
    pub async fn run(self) -> Result<(), Fault> {
        tracing::info!(address = %self.address()?, "listening");
        let shutdown = self.process.shutdown;
        let mut components = Components::new(shutdown.clone(), self.grace);
        let broker = Broker::connect_in_time(&self.nats_url, "gateway", BROKER_TIMEOUT).await?;
        let opener = SessionOpener::new(broker.clone());
        components.spawn("session revocations", opener.clone().listen(shutdown.clone()));
        let redirect = self.public_side.url.as_ref().and_then(plain::Redirect::to);
        let sessions = Arc::new(BrowserSessions::new(opener, self.public_side));
        let sockets = Arc::new(Sockets::new(
            &broker,
            Arc::clone(&sessions),
            self.tickets,
            self.sockets,
            shutdown.clone(),
            Handle::current(),
        ));
        components.spawn("socket revocations", Arc::clone(&sockets).hear_revocations(broker.clone()));
        // Without it programs go on, and people whose cookie is remembered.
        let health = self.health.prefers("nats", move || {
            let broker = broker.clone();
            async move { broker.ping().await.map_err(|e| e.to_string()) }
        });
        let health = Arc::new(health);
        if let Some(listener) = self.plain {
            let served = plain::serve(listener, Arc::clone(&health), redirect, shutdown.clone())?;
            components.spawn("plain http", served);
        }
        let tls = self.tls.map(|(tls, certificates)| {
            components.spawn("certificates", certificates.reload_on_hangup(shutdown.clone()));
            tls
        });
        let (state, health) = (self.state, web::Data::from(health));
        let served = Arc::clone(&state);
        let configure = move |service: &mut web::ServiceConfig| {
            service.app_data(health.clone()).configure(health::routes);
            routes::configure(service, &state, &sessions, &sockets);
        };
        let routes = each_on_its_own(configure);
        components.spawn("http", serve(self.listener, routes, &served, tls, shutdown, self.grace)?);
        components.run().await?;
        Ok(())
    }
}

/// Ready means that events can come in. A gateway that cannot reach ingest should get no traffic while another one
/// can, because an event that is refused may never be sent again. Without the others it stays ready and is degraded:
/// a question that gets a 503 is asked again, and taking the door away from events for that would lose more than it
/// saves. Each is asked whether it is alive, not whether it is ready: what it depends on is its own to report, and
/// one broker that is away must not close every door in front of it.
fn health(state: &State, has_redis: bool, process: &Process) -> Health {
    let check = |upstream: Upstream| {
        let origin = state.origins.of(upstream).clone();
        move || {
            let origin = origin.clone();
            async move { liveness::check(&origin).await.map_err(|error| format!("{origin}: {error}")) }
        }
    };
    let health = Health::new("gateway", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
        .with_metrics(process.metrics.clone())
        .requires(Upstream::Ingest.name(), check(Upstream::Ingest))
        .prefers(Upstream::Auth.name(), check(Upstream::Auth))
        .prefers(Upstream::Analytics.name(), check(Upstream::Analytics))
        .prefers(Upstream::Worker.name(), check(Upstream::Worker));
    if !has_redis {
        tracing::warn!("REDIS_URL is not set: this gateway counts requests by itself");
        return health;
    }
    let limits = state.limiter.limits.clone();
    health.prefers("redis", move || {
        let limits = limits.clone();
        async move { limits.ping().await.map_err(|error| error.to_string()) }
    })
}
