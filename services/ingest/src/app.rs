//! The service, put together.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use millrace_cache::duplicates::DuplicateMemory;
use millrace_cache::limits::Limits;
use millrace_cache::revocations::RevocationCount;
use millrace_http::authorized::Authenticator;
use millrace_http::cores::each_on_its_own;
use millrace_http::multiplex;
use millrace_http::serve::{Listener, serve};
use millrace_messaging::broker::Broker;
use millrace_messaging::keys::KeyResolver;
use millrace_messaging::live::tap::{Tap, Tapper};
use millrace_messaging::project_tables::{EVENT_LIMITS, EVENT_ORIGINS, TableCopy};
use millrace_messaging::streams;
use millrace_runtime::health::{self, Health};
use millrace_runtime::labels::{CappedLabels, EVENT_TYPE_LABELS};
use millrace_runtime::launch::{Fault, Process, listen, listen_beside};
use millrace_runtime::lifecycle::Components;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::authenticator::BrokerAuthenticator;
use crate::budget::Budget;
use crate::config::Config;
use crate::group::{Gatherer, GroupCommit};
use crate::routes;
use crate::state::State;

/// Ingest, ready to run.
#[derive(Debug)]
pub struct App {
    listener: Listener,
    /// For neighbours whose requests share connections.
    multiplexed: Option<UnixListener>,
    state: State,
    gatherer: Gatherer,
    tapper: Tapper,
    resolver: KeyResolver,
    revocations: RevocationCount,
    health: Arc<Health>,
    process: Process,
    grace: Duration,
}

impl App {
    /// Connects to what ingest needs.
    ///
    /// # Errors
    /// When the address is taken or the broker away. Redis may be away.
    pub async fn build(config: Config, process: Process) -> Result<Self, Fault> {
        let unix = config.socket.as_deref().map(listen_beside).transpose()?;
        let listener = Listener { net: listen(config.bind)?, unix };
        let beside = config.socket.as_deref().map(multiplex::beside);
        let multiplexed = beside.as_deref().map(listen_beside).transpose()?;
        let broker = Broker::connect(&config.nats_url, "ingest", config.publish_timeout).await?;
        streams::ensure(&broker, config.streams).await?;
        let memory = DuplicateMemory::new(&config.redis_url, config.duplicate_window)?;
        let limits = Limits::new(Some(&config.redis_url))?;
        let event_limits = TableCopy::new(EVENT_LIMITS, broker.clone(), config.streams.replicas);
        let event_origins = TableCopy::new(EVENT_ORIGINS, broker.clone(), config.streams.replicas);
        let health = {
            let (broker, memory) = (broker.clone(), memory.clone());
            Health::new("ingest", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
                .with_metrics(process.metrics.clone())
                .requires("nats", move || {
                    let broker = broker.clone();
                    async move { broker.ping().await.map_err(|e| e.to_string()) }
                })
                .prefers("redis", move || {
                    let memory = memory.clone();
                    async move { memory.ping().await.map_err(|e| e.to_string()) }
                })
        };
        let (tap, tapper) = Tap::new(broker.clone());
        let (group, gatherer) = GroupCommit::new(broker.clone(), memory.clone(), tap.clone());
        Ok(Self {
            listener,
            multiplexed,
            gatherer,
            tapper,
            resolver: KeyResolver::new(broker.clone()),
            revocations: RevocationCount::new(&config.redis_url)?,
            state: State {
                broker,
                group,
                tap,
                memory,
                event_limits,
                event_origins,
                limits,
                budget: Budget::new(config.body_budget),
                stored_timeout: config.stored_timeout,
                passes_addresses_on: config.passes_addresses_on,
                labels: Arc::new(CappedLabels::new(EVENT_TYPE_LABELS)),
            },
            health: Arc::new(health),
            process,
            grace: config.shutdown_grace,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.net.local_addr()
    }

    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// When a component fails.
    pub async fn run(self) -> Result<(), Fault> {
        let shutdown = self.process.shutdown;
        let broker = self.state.broker.clone();
        let mut components = Components::new(shutdown.clone(), self.grace);
        // These end when the last request is answered and the server has let go of their other ends.
        components.spawn("gatherer", self.gatherer.run());
        components.spawn("live tap", self.tapper.run());
        components.spawn("key revocations", self.resolver.clone().listen(shutdown.clone()));
        components.spawn("event limits", self.state.event_limits.clone().listen(shutdown.clone()));
        components.spawn("event origins", self.state.event_origins.clone().listen(shutdown.clone()));
        let resolver = self.resolver.clone();
        let counted = self.revocations.watch(shutdown.clone(), move || resolver.forget());
        components.spawn("key revocations by Redis", counted);
        let authenticator: Arc<dyn Authenticator> = Arc::new(BrokerAuthenticator::new(self.resolver));
        let (state, health) = (web::Data::new(self.state), web::Data::from(self.health));
        let configure = move |service: &mut web::ServiceConfig| {
            service
                .app_data(state.clone())
                .app_data(health.clone())
                .app_data(web::Data::from(authenticator.clone()))
                .configure(health::routes);
            routes::configure(&mut ServiceConfig::new(service));
        };
        if let Some(listener) = self.multiplexed {
            let routes = each_on_its_own(configure.clone());
            let served = multiplex::serve::serve(listener, routes, shutdown.clone(), self.grace)?;
            components.spawn("multiplexed http", served);
        }
        components.spawn("http", serve(self.listener, each_on_its_own(configure), shutdown, self.grace)?);
        components.run().await?;
        broker.close().await;
        Ok(())
    }
}
