//! The service, put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web;
use millrace_cache::limits::Limits as Rates;
use millrace_cache::revocations::RevocationCount;
use millrace_http::authorized::Authenticator;
use millrace_http::serve::{Listener, serve};
use millrace_messaging::broker::Broker;
use millrace_messaging::keys::KeyResolver;
use millrace_messaging::notifications;
use millrace_messaging::project_tables::{API_LIMITS, TableCopy};
use millrace_messaging::tokens::TokenVerifier;
use millrace_runtime::health::{self, Health};
use millrace_runtime::launch::{Fault, Process, listen, listen_beside};
use millrace_runtime::lifecycle::Components;
use millrace_storage::database::{Database, PoolSettings};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::alerts;
use crate::authenticator::BrokerAuthenticator;
use crate::config::Config;
use crate::kept::KeptAnswers;
use crate::kept_sets::KeptSets;
use crate::postings::Postings;
use crate::reader::Limits;
use crate::routes;
use crate::services;
use crate::shares::Shares;
use crate::sql::desk::Desk;
use crate::state::State;
use crate::turns::Turns;
use crate::working_memory::WorkingMemory;

/// How long the broker may take to acknowledge; analytics tells it of what people keep.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(3);

/// Analytics, ready to run.
#[derive(Debug)]
pub struct App {
    listener: Listener,
    state: State,
    broker: Broker,
    replicas: usize,
    revocations: RevocationCount,
    health: Arc<Health>,
    process: Process,
    grace: Duration,
}

impl App {
    /// Connects to what analytics needs.
    ///
    /// # Errors
    /// When the address is taken or the broker away. The database may come later.
    pub async fn build(config: Config, process: Process) -> Result<Self, Fault> {
        let unix = config.socket.as_deref().map(listen_beside).transpose()?;
        let listener = Listener { net: listen(config.bind)?, unix };
        let broker = Broker::connect(&config.nats_url, "analytics", PUBLISH_TIMEOUT).await?;
        let settings =
            PoolSettings { statement_timeout: config.statement_timeout, ..PoolSettings::named("analytics") };
        let database = Database::new(&config.database_url, settings)?;
        let workspace = if config.workspace_url == config.database_url {
            database.clone()
        } else {
            Database::new(&config.workspace_url, PoolSettings::named("analytics"))?
        };
        let revocations = RevocationCount::new(&config.redis_url)?;
        let health = {
            let (database, broker) = (database.clone(), broker.clone());
            let revocations = revocations.clone();
            Health::new("analytics", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
                .with_metrics(process.metrics.clone())
                .requires("postgres", move || {
                    let database = database.clone();
                    async move { database.ping().await.map_err(|e| e.to_string()) }
                })
                // Keys and tokens that were seen a short while ago go on working without it.
                .prefers("nats", move || {
                    let broker = broker.clone();
                    async move { broker.ping().await.map_err(|e| e.to_string()) }
                })
                .prefers("redis", move || {
                    let revocations = revocations.clone();
                    async move { revocations.ping().await.map_err(|e| e.to_string()) }
                })
        };
        let shares = Shares::of(config.memory);
        let answers = KeptAnswers::new(&config.redis_url, config.answers_kept, shares.answers)?;
        let limits = Limits { patience: config.statement_timeout, events: config.query_events };
        let desk =
            |url: &String| Desk::new(url, config.sql_connections, config.sql_per_project, config.sql_timeout);
        let state = State {
            sql: config.sql_database_url.as_ref().map(desk).transpose()?,
            database,
            workspace,
            broker: broker.clone(),
            answers,
            rates: Rates::new(Some(&config.redis_url))?,
            api_limits: TableCopy::new(API_LIMITS, broker.clone(), config.replicas),
            limits,
            postings: Postings::new(shares.postings),
            sets: KeptSets::new(shares.sets),
            work: WorkingMemory::new(shares.work),
            turns: Turns::new(config.queries_per_project),
            webhooks: config.webhooks,
            webhook_key: config.webhook_key,
            mails: config.mails,
            trusted_proxies: config.trusted_proxies,
            clock: config.clock,
        };
        Ok(Self {
            listener,
            state,
            broker,
            replicas: config.replicas,
            revocations,
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
        let (keys, tokens) = (KeyResolver::new(self.broker.clone()), TokenVerifier::new(self.broker.clone()));
        let mut components = Components::new(shutdown.clone(), self.grace);
        components.spawn("key revocations", keys.clone().listen(shutdown.clone()));
        components.spawn("token revocations", tokens.clone().listen(shutdown.clone()));
        components.spawn("API limits", self.state.api_limits.clone().listen(shutdown.clone()));
        let forget = {
            let (keys, tokens) = (keys.clone(), tokens.clone());
            move || {
                keys.forget();
                tokens.forget();
            }
        };
        components.spawn("revocations by Redis", self.revocations.watch(shutdown.clone(), forget));
        let verifier = web::Data::new(tokens.clone());
        let authenticator: Arc<dyn Authenticator> = Arc::new(BrokerAuthenticator::new(keys, tokens));
        let answering = services::answer(self.broker.clone(), self.state.clone(), shutdown.clone());
        components.spawn("questions of services", answering);
        let prepared = notifications::prepare(self.broker.clone(), self.replicas, shutdown.clone());
        components.spawn("notifications", prepared);
        components.spawn("alerts", alerts::look(self.state.clone(), shutdown.clone()));
        components.spawn("alert deliveries", alerts::tell(self.state.clone(), shutdown.clone()));
        components.spawn("webhook secrets", alerts::secrets::seal(self.state.clone(), shutdown.clone()));
        let (state, health) = (web::Data::new(self.state), web::Data::from(self.health));
        let configure = move |service: &mut web::ServiceConfig| {
            service
                .app_data(state.clone())
                .app_data(health.clone())
                .app_data(verifier.clone())
                .app_data(web::Data::from(authenticator.clone()))
                .configure(health::routes);
            routes::configure(&mut ServiceConfig::new(service));
        };
        components.spawn("http", serve(self.listener, configure, shutdown, self.grace)?);
        components.run().await?;
        self.broker.close().await;
        Ok(())
    }
}
