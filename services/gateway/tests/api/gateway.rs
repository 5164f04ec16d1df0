//! A gateway of one's own.

use std::net::SocketAddr;
use std::time::Duration;

use millrace_domain::rate::Limit;
use millrace_gateway::app::App;
use millrace_gateway::config::Config;
use millrace_gateway::sockets::SocketSettings;
use millrace_gateway::upstreams::Origins;
use millrace_runtime::launch::{Fault, Process};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; what takes longer hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A running gateway. Dropped, it stops.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// Where it listens without TLS beside TLS.
    pub(crate) plain: Option<SocketAddr>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), Fault>>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl From<&Gateway> for SocketAddr {
    fn from(gateway: &Gateway) -> Self {
        gateway.address
    }
}

/// Nobody listens on the port of TCPMUX.
pub(crate) fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

/// The settings of a gateway in front of this service: it is ingest, and analytics, and the rest.
pub(crate) fn settings(upstream: SocketAddr) -> Config {
    let origin = |address: SocketAddr| format!("http://{address}").parse().unwrap();
    Config {
        bind: ([127, 0, 0, 1], 0).into(),
        origins: Origins {
            auth: origin(upstream),
            ingest: origin(upstream),
            worker: origin(upstream),
            analytics: origin(upstream),
        },
        nats_url: format!("nats://{}", nobody()),
        public_url: None,
        upstream_timeout: DEADLINE,
        tls: None,
        plain_bind: None,
        client_timeout: DEADLINE,
        cors_ingest: "".parse().unwrap(),
        cors_api: "".parse().unwrap(),
        upstream_requests: 512,
        max_body: 10 << 20,
        import_bytes: 1 << 30,
        trusted_proxies: "".parse().unwrap(),
        redis_url: None,
        api_limit: Limit(None),
        address_limit: Limit(None),
        sockets: SocketSettings { most: 100, heartbeat: DEADLINE },
        shutdown_grace: DEADLINE,
    }
}

impl Gateway {
    /// In front of this service.
    pub(crate) fn before(upstream: SocketAddr) -> Self {
        Self::with(settings(upstream))
    }

    pub(crate) fn with(config: Config) -> Self {
        let shutdown = CancellationToken::new();
        let app = App::build(config, Process { shutdown: shutdown.clone(), metrics: None }).unwrap();
        let address = app.address().unwrap();
        let plain = app.plain_address();
        Self { address, plain, shutdown, running: tokio::spawn(app.run()) }
    }

    /// Asks it to stop.
    pub(crate) fn stop(&self) {
        self.shutdown.cancel();
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> Result<(), Fault> {
        timeout(DEADLINE, &mut self.running).await.expect("it ends").unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }
}

/// A client that takes no proxy from the environment and never waits for ever.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap()
}
