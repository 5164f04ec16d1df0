//! The service, put together.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use millrace_http::public_side::PublicSide;
use millrace_http::serve::serve;
use millrace_messaging::broker::Broker;
use millrace_messaging::browser_sessions::SessionOpener;
use millrace_runtime::health::{self, Health};
use millrace_runtime::launch::{Fault, Process, listen};
use millrace_runtime::lifecycle::Components;

use crate::browser_session::BrowserSessions;
use crate::config::Config;
use crate::routes;
use crate::state::State;
use crate::upstreams::{Origins, Upstream, liveness};

/// The gateway publishes nothing; this bounds the broker's word on its health.
const BROKER_TIMEOUT: Duration = Duration::from_secs(2);

/// The gateway, ready to run.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    state: Arc<State>,
    health: Health,
    nats_url: String,
    public_side: PublicSide,
    process: Process,
    grace: Duration,
}

impl App {
    /// Takes its address. The services behind it may still be away: it tells clients so until they are there.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn build(config: Config, process: Process) -> Result<Self, Fault> {
        Ok(Self {
            listener: listen(config.bind)?,
            state: Arc::new(State::new(&config)),
            health: health(&config.origins, &process),
            nats_url: config.nats_url,
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
        let sessions = Arc::new(BrowserSessions::new(opener, self.public_side));
        // Without it programs go on, and people whose cookie is remembered.
        let health = self.health.prefers("nats", move || {
            let broker = broker.clone();
            async move { broker.ping().await.map_err(|e| e.to_string()) }
        });
        let (state, health) = (self.state, web::Data::new(health));
        let configure = move |service: &mut web::ServiceConfig| {
            service.app_data(health.clone()).configure(health::routes);
            routes::configure(service, &state, &sessions);
        };
        components.spawn("http", serve(self.listener, configure, shutdown, self.grace)?);
        components.run().await?;
        Ok(())
    }
}

/// Ready means that events can come in. A gateway that cannot reach ingest should get no traffic while another one
/// can, because an event that is refused may never be sent again. Without the others it stays ready and is degraded:
/// a question that gets a 503 is asked again, and taking the door away from events for that would lose more than it
/// saves. Each is asked whether it is alive, not whether it is ready: what it depends on is its own to report, and
/// one broker that is away must not close every door in front of it.
fn health(origins: &Origins, process: &Process) -> Health {
    let check = |upstream: Upstream| {
        let origin = origins.of(upstream).clone();
        move || {
            let origin = origin.clone();
            async move { liveness::check(&origin).await.map_err(|error| format!("{origin}: {error}")) }
        }
    };
    Health::new("gateway", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
        .with_metrics(process.metrics.clone())
        .requires(Upstream::Ingest.name(), check(Upstream::Ingest))
        .prefers(Upstream::Auth.name(), check(Upstream::Auth))
        .prefers(Upstream::Analytics.name(), check(Upstream::Analytics))
        .prefers(Upstream::Worker.name(), check(Upstream::Worker))
}
