//! The service, put together.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use millrace_cache::data_versions::DataVersions;
use millrace_files::Files;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::Consumer;
use millrace_messaging::streams;
use millrace_runtime::health::{self, Health};
use millrace_runtime::labels::{CappedLabels, EVENT_TYPE_LABELS};
use millrace_runtime::launch::{Fault, Process, listen};
use millrace_runtime::lifecycle::Components;
use millrace_storage::append::Appender;
use millrace_storage::database::{Database, PoolSettings};

use crate::config::Config;
use crate::enrichment::Enricher;
use crate::enrichment::country::Countries;
use crate::jobs::runner::Runner;
use crate::jobs::{Tools, schedule};
use crate::observed::Observed;
use crate::pipeline::Pipeline;
use crate::strict::Strict;
use crate::{compaction, exhausted, lag, orders, postings};

/// JetStream's own time limit; the worker publishes dead letters only.
const PUBLISH_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// What one statement of a job may take: a day of events is counted by one.
const JOB_STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(600);

/// The worker, ready to run.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    broker: Broker,
    versions: DataVersions,
    consumer: Consumer,
    database: Database,
    enricher: Enricher,
    tools: Tools,
    config: Config,
    process: Process,
}

impl App {
    /// Connects to what the worker needs.
    ///
    /// # Errors
    /// When the address is taken or the broker away. The database may be away: the log keeps what it cannot take.
    pub async fn build(config: Config, process: Process) -> Result<Self, Fault> {
        let listener = listen(config.bind)?;
        let broker = Broker::connect(&config.nats_url, "worker", PUBLISH_TIMEOUT).await?;
        streams::ensure(&broker, config.streams).await?;
        let versions = DataVersions::new(&config.redis_url)?;
        let consumer = Consumer::of_events(&broker, config.pull).await?;
        let pool =
            PoolSettings { statement_timeout: config.statement_timeout, ..PoolSettings::named("worker") };
        let database = Database::new(&config.database_url, pool)?;
        let countries = config.geoip_database.as_deref().map(Countries::open).transpose()?;
        let enricher = Enricher::new(countries);
        let for_jobs = PoolSettings {
            statement_timeout: JOB_STATEMENT_TIMEOUT,
            // One to work with, one to hold the job by, one to note how far it is.
            max_connections: 2 + 3 * config.jobs.at_once,
            ..PoolSettings::named("jobs")
        };
        let tools = Tools {
            database: Database::new(&config.database_url, for_jobs)?,
            broker: broker.clone(),
            versions: versions.clone(),
            files: config.exports.as_ref().map(Files::at).transpose()?,
            settings: config.jobs.clone(),
        };
        Ok(Self { listener, broker, versions, consumer, database, enricher, tools, config, process })
    }

    /// Where the health routes listen.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Works until the process is asked to stop.
    ///
    /// # Errors
    /// When a component fails.
    pub async fn run(self) -> Result<(), Fault> {
        let Self { listener, broker, versions, consumer, database, enricher, tools, config, process } = self;
        let shutdown = process.shutdown.clone();
        let health = health(&process, &broker, &database, &versions);
        let labels = Arc::new(CappedLabels::new(EVENT_TYPE_LABELS));
        let observed = Arc::new(Observed::default());
        let strict = Arc::new(Strict::default());
        let mut components = Components::new(shutdown.clone(), config.shutdown_grace);
        for _ in 0..config.pipelines {
            let pipeline = Pipeline {
                broker: broker.clone(),
                consumer: consumer.clone(),
                pull: config.pull,
                streams: config.streams,
                appender: Appender::new(&config.database_url, config.statement_timeout)
                    .taking_turns(config.append_slots),
                versions: versions.clone(),
                strict: Arc::clone(&strict),
                enricher: enricher.clone(),
                observed: Arc::clone(&observed),
                labels: Arc::clone(&labels),
                shutdown: shutdown.clone(),
            };
            components.spawn("pipeline", pipeline.run());
        }
        let (schemas, until) = (database.clone(), shutdown.clone());
        components.spawn("schemas", async move { strict.follow(schemas, until).await });
        let (properties, until) = (database.clone(), shutdown.clone());
        components.spawn("properties", async move { observed.write_down(properties, until).await });
        for _ in 0..config.jobs.at_once {
            let (tools, shutdown) = (tools.clone(), shutdown.clone());
            components.spawn("jobs", Runner { tools, replicas: config.streams.replicas, shutdown }.run());
        }
        if let Some(interval) = config.jobs.maintenance {
            components.spawn("maintenance", schedule::run(tools, interval, shutdown.clone()));
        }
        let (interval, quiet) = (config.compact_interval, config.postings_quiet);
        components.spawn("postings", postings::run(database.clone(), interval, quiet, shutdown.clone()));
        components.spawn("compaction", compaction::run(database, interval, shutdown.clone()));
        components.spawn("lag", lag::watch(broker.clone(), shutdown.clone()));
        components.spawn("exhausted", exhausted::watch(broker.clone(), config.streams, shutdown.clone()));
        components.spawn("orders", orders::serve(broker.clone(), shutdown.clone()));
        components.spawn("health", health::serve(listener, Arc::new(health), shutdown)?);
        components.run().await?;
        broker.close().await;
        Ok(())
    }
}

fn health(process: &Process, broker: &Broker, database: &Database, versions: &DataVersions) -> Health {
    let (broker, database, versions) = (broker.clone(), database.clone(), versions.clone());
    Health::new("worker", env!("CARGO_PKG_VERSION"), process.shutdown.clone())
        .with_metrics(process.metrics.clone())
        .requires("nats", move || {
            let broker = broker.clone();
            async move { broker.ping().await.map_err(|e| e.to_string()) }
        })
        .requires("postgres", move || {
            let database = database.clone();
            async move { database.ping().await.map_err(|e| e.to_string()) }
        })
        // Without it answers that analytics keeps may be some seconds old.
        .prefers("redis", move || {
            let versions = versions.clone();
            async move { versions.ping().await.map_err(|e| e.to_string()) }
        })
}
