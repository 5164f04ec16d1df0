//! What every story here needs: a database, a log, a project, and workers to hire.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_files::Place;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{PullSettings, backlog};
use millrace_messaging::streams::{self, StreamLimits};
use millrace_messaging::trace::Origin;
use millrace_messaging::{publisher, subjects};
use millrace_runtime::launch::Process;
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::story::{did, project};
use millrace_testkit::{servers, wait};
use millrace_worker::app::App;
use millrace_worker::config::Config;
use millrace_worker::jobs::JobSettings;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const STREAMS: StreamLimits =
    StreamLimits { events_bytes: 64 << 20, dead_letters_bytes: 16 << 20, replicas: 1 };

pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) nats: TestNats,
    pub(crate) broker: Broker,
    pub(crate) shop: ProjectId,
    pub(crate) files: TempDir,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
        let broker = Broker::connect(nats.url(), "test", Duration::from_secs(5)).await.unwrap();
        streams::ensure(&broker, STREAMS).await.unwrap();
        let shop = project(&database.url(), "Asia/Kolkata").await;
        let files = tempfile::tempdir().unwrap();
        Self { database, nats, broker, shop, files }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            database_url: self.database.url(),
            nats_url: self.nats.url().to_owned(),
            redis_url: servers::redis_url(),
            pipelines: 2,
            append_slots: 4,
            pull: PullSettings {
                max_messages: 20,
                max_bytes: 2 << 20,
                expires: Duration::from_millis(50),
                ack_wait: Duration::from_secs(10),
                max_deliveries: Some(100),
            },
            statement_timeout: Duration::from_secs(5),
            compact_interval: Duration::from_millis(200),
            postings_quiet: Duration::ZERO,
            streams: STREAMS,
            geoip_database: None,
            exports: Some(Place::Folder(self.files.path().to_owned())),
            jobs: JobSettings {
                at_once: 1,
                lease: Duration::from_secs(2),
                poll: Duration::from_millis(100),
                part_rows: 500,
                files_kept: Duration::from_secs(3600),
                maintenance: None,
            },
            shutdown_grace: Duration::from_secs(10),
        }
    }

    pub(crate) async fn publish(&self, events: &[Event]) {
        let batch = EventBatch { project_id: self.shop, received_at: Utc::now(), events: events.to_vec() };
        publisher::publish(&self.broker, &batch, &[Origin::of("story")]).await.unwrap();
    }

    pub(crate) async fn publish_raw(&self, project: ProjectId, payload: Bytes) {
        let jetstream = async_nats::jetstream::new(self.broker.client().clone());
        jetstream.publish(subjects::events(project), payload).await.unwrap().await.unwrap();
    }

    pub(crate) async fn until_the_log_is_empty(&self) {
        wait::until("the log is empty", async || {
            backlog(&self.broker, subjects::EVENTS_STREAM).await.unwrap().messages == 0
        })
        .await;
    }

    pub(crate) async fn stored(&self) -> i64 {
        self.database.client().await.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0)
    }

    pub(crate) async fn assert_the_books_balance(&self) {
        millrace_testkit::recount::assert_roll_ups_equal_the_events(
            &self.database,
            self.shop,
            "Asia/Kolkata",
        )
        .await;
    }
}

/// A worker in this process.
pub(crate) struct Hired {
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), String>>,
}

impl Hired {
    pub(crate) async fn with(config: Config) -> Self {
        let shutdown = CancellationToken::new();
        let app = App::build(config, Process { shutdown: shutdown.clone(), metrics: None }).await.unwrap();
        let running = tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
        Self { shutdown, running }
    }

    /// Asks it to stop, and insists that it stops without an error.
    pub(crate) async fn dismiss(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// Events of several users and types over a fortnight, each its own.
pub(crate) fn fortnight(events: i64) -> Vec<Event> {
    let types = ["page_view", "login", "order_completed"];
    (0..events)
        .map(|n| {
            let event_type = types[usize::try_from(n % 3).unwrap()];
            let mut event = did(&format!("user-{}", n * 7 % 23), event_type, "2026-10-20T00:00:00Z").event();
            event.occurred_at += TimeDelta::seconds(n * 7919 % (14 * 86_400));
            event
        })
        .collect()
}
