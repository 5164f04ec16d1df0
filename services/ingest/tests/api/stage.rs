//! What every story here needs: auth and ingest, running, and a project with a key.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use millrace_auth::app::App as Auth;
use millrace_domain::access::Scope;
use millrace_domain::ids::{KeyId, ProjectId};
use millrace_ingest::app::App as IngestApp;
use millrace_ingest::config::Config;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{PullSettings, backlog};
use millrace_messaging::streams::StreamLimits;
use millrace_runtime::config::Env;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_security::password::Cost;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::story::project;
use millrace_worker::jobs::JobSettings;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Bytes that the log holds where a story does not care.
const LOG: u64 = 64 << 20;

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) nats: TestNats,
    pub(crate) redis: TestRedis,
    pub(crate) shop: ProjectId,
    pub(crate) key: ApiKey,
    /// The wire between ingest and NATS.
    pub(crate) nats_wire: ChaosProxy,
    /// The wire between ingest and Redis.
    pub(crate) redis_wire: ChaosProxy,
    /// Sends auth home when cancelled.
    pub(crate) auth: CancellationToken,
    streams: StreamLimits,
    url: String,
    client: reqwest::Client,
    _everything: tokio_util::sync::DropGuard,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Box::pin(Self::with_a_log_of(LOG)).await
    }

    /// With a log that holds so many bytes.
    pub(crate) async fn with_a_log_of(events_bytes: u64) -> Self {
        let streams = StreamLimits { events_bytes, dead_letters_bytes: 16 << 20, replicas: 1 };
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let shop = project(&database.url(), "UTC").await;
        let everything = CancellationToken::new();

        let auth = everything.child_token();
        let mut auth_config = millrace_auth::config::Config::from_env(Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &database.url()),
            ("NATS_URL", nats.url()),
            ("REDIS_URL", "redis://127.0.0.1:1"),
            ("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        ]))
        .unwrap();
        auth_config.bcrypt_cost = Cost::new(4).unwrap();
        let app = Box::pin(Auth::build(auth_config, Process { shutdown: auth.clone(), metrics: None }))
            .await
            .unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });

        let nats_wire = ChaosProxy::before(nats.url()).await;
        let redis_wire = ChaosProxy::before(redis.url()).await;
        let config = Config {
            bind: ANY_PORT,
            socket: None,
            nats_url: nats_wire.url(nats.url()),
            redis_url: redis_wire.url(redis.url()),
            publish_timeout: Duration::from_secs(2),
            stored_timeout: Duration::from_secs(10),
            duplicate_window: Duration::from_secs(600),
            body_budget: 64 << 20,
            passes_addresses_on: None,
            streams,
            shutdown_grace: Duration::from_secs(15),
        };
        let process = Process { shutdown: everything.clone(), metrics: None };
        let app = Box::pin(IngestApp::build(config, process)).await.unwrap();
        let url = format!("http://{}", app.address().unwrap());
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });

        let stage = Self {
            key: ApiKey::generate().unwrap(),
            client: reqwest::Client::new(),
            _everything: everything.drop_guard(),
            database,
            nats,
            redis,
            shop,
            nats_wire,
            redis_wire,
            auth,
            streams,
            url,
        };
        stage.grant(&stage.key, &[Scope::Ingest]).await;
        // Auth answers on the broker a moment after it listens.
        millrace_testkit::wait::until("the key is known", async || {
            stage.send("[]").send().await.is_ok_and(|response| response.status() == 202)
        })
        .await;
        stage
    }

    /// Makes `key` open the shop.
    pub(crate) async fn grant(&self, key: &ApiKey, scopes: &[Scope]) -> KeyId {
        let database = Database::new(&self.database.url(), PoolSettings::named("test")).unwrap();
        let mut connection = database.connection().await.unwrap();
        let new =
            NewApiKey { name: "story", hash: &key.hash().0, shown: key.shown(), scopes, expires_at: None };
        api_keys::create(&mut connection, self.shop, new).await.unwrap().id
    }

    /// A request with the stage's key, to be changed and sent.
    pub(crate) fn send(&self, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.send_to("/api/v1/events", body)
    }

    /// The same to another address.
    pub(crate) fn send_to(&self, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.anonymous(path).bearer_auth(self.key.reveal()).body(body)
    }

    /// A request without a key.
    pub(crate) fn anonymous(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// Where ingest listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.url.trim_start_matches("http://").parse().unwrap()
    }

    /// What Prometheus and operators ask.
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// A worker that stores what is in the log, for as long as the returned guard lives.
    pub(crate) async fn hire_a_worker(&self) -> tokio_util::sync::DropGuard {
        let shutdown = CancellationToken::new();
        let config = millrace_worker::config::Config {
            bind: ANY_PORT,
            database_url: self.database.url(),
            nats_url: self.nats.url().to_owned(),
            redis_url: self.redis.url().to_owned(),
            pipelines: 1,
            append_slots: 4,
            pull: PullSettings {
                max_messages: 100,
                max_bytes: 4 << 20,
                expires: Duration::from_millis(30),
                ack_wait: Duration::from_secs(30),
                max_deliveries: None,
            },
            statement_timeout: Duration::from_secs(10),
            compact_interval: Duration::from_secs(60),
            postings_quiet: Duration::from_secs(60),
            streams: self.streams,
            geoip_database: None,
            exports: None,
            jobs: JobSettings {
                at_once: 0,
                lease: Duration::from_secs(30),
                poll: Duration::from_secs(2),
                part_rows: 1,
                files_kept: Duration::from_secs(3600),
                maintenance: None,
            },
            shutdown_grace: Duration::from_secs(10),
        };
        let process = Process { shutdown: shutdown.clone(), metrics: None };
        let app = millrace_worker::app::App::build(config, process).await.unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
        shutdown.drop_guard()
    }

    /// A gateway in front of ingest, for as long as the returned guard lives, and its address.
    pub(crate) fn open_a_gateway(&self) -> (String, tokio_util::sync::DropGuard) {
        let shutdown = CancellationToken::new();
        let config = millrace_gateway::config::Config::from_env(Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("MILLRACE_INGEST_URL", &self.url),
            ("MILLRACE_CORS_INGEST_ORIGINS", "*"),
            ("NATS_URL", self.nats.url()),
        ]));
        let process = Process { shutdown: shutdown.clone(), metrics: None };
        let app = millrace_gateway::app::App::build(config.unwrap(), process).unwrap();
        let url = format!("http://{}", app.address().unwrap());
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
        (url, shutdown.drop_guard())
    }

    /// How many messages nobody has stored yet.
    pub(crate) async fn messages_in_the_log(&self) -> u64 {
        let broker = Broker::connect(self.nats.url(), "test", Duration::from_secs(2)).await.unwrap();
        backlog(&broker, millrace_messaging::subjects::EVENTS_STREAM).await.unwrap().messages
    }

    /// How many events are stored.
    pub(crate) async fn stored(&self) -> i64 {
        self.database.client().await.query_one("SELECT count(*) FROM events", &[]).await.unwrap().get(0)
    }
}

/// The status and the body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}
