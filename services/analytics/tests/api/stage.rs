//! What every story here needs: auth and analytics, running, and projects with a key.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_analytics::alerts::secrets::WebhookKey;
use millrace_analytics::alerts::webhook::Webhooks;
use millrace_analytics::app::App;
use millrace_analytics::config::Config;
use millrace_auth::app::App as Auth;
use millrace_domain::ids::ProjectId;
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::broker::Broker;
use millrace_runtime::config::Env;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_security::password::Cost;
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::sql_login::SqlLogin;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

mod behind;

/// What the secrets of webhooks are sealed with.
pub(crate) const WEBHOOK_KEY: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";
const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    /// The wire between analytics and PostgreSQL.
    pub(crate) database_wire: ChaosProxy,
    /// The wire between analytics and NATS.
    pub(crate) nats_wire: ChaosProxy,
    /// The wire between analytics and Redis.
    pub(crate) redis_wire: ChaosProxy,
    /// Where auth listens.
    pub(crate) auth: String,
    url: String,
    client: reqwest::Client,
    storage: Database,
    pub(crate) nats: TestNats,
    redis: TestRedis,
    config: Config,
    everything: DropGuard,
}

/// A project and a key that may read it.
#[derive(Clone)]
pub(crate) struct Project {
    pub(crate) id: ProjectId,
    pub(crate) key: ApiKey,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::at(Utc::now).await
    }

    /// With a clock of its own.
    pub(crate) async fn at(clock: fn() -> DateTime<Utc>) -> Self {
        Self::build(clock, false, 1_000).await
    }

    /// The same for a long history: questions that depend on the order of events may read as many as they do anywhere.
    pub(crate) async fn of_many_events(clock: fn() -> DateTime<Utc>) -> Self {
        Self::build(clock, false, 50_000_000).await
    }

    /// With the wires plugged in, which slow it down, and little patience with the database.
    pub(crate) async fn with_wires() -> Self {
        Self::build(Utc::now, true, 1_000).await
    }

    async fn build(clock: fn() -> DateTime<Utc>, wired: bool, query_events: u64) -> Self {
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let everything = CancellationToken::new();
        let process = Process { shutdown: everything.clone(), metrics: None };

        let mut auth = millrace_auth::config::Config::from_env(Env::of([
            ("MILLRACE_BIND", "127.0.0.1:0"),
            ("DATABASE_URL", &database.url()),
            ("NATS_URL", nats.url()),
            ("REDIS_URL", redis.url()),
            ("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
        ]))
        .unwrap();
        auth.bcrypt_cost = Cost::new(4).unwrap();
        let app = Auth::build(auth, process.clone()).await.unwrap();
        let auth = format!("http://{}", app.address().unwrap());
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });

        let database_wire = ChaosProxy::before(&database.url()).await;
        let nats_wire = ChaosProxy::before(nats.url()).await;
        let redis_wire = ChaosProxy::before(redis.url()).await;
        let config = Config {
            bind: ANY_PORT,
            socket: None,
            redis_url: if wired { redis_wire.url(redis.url()) } else { redis.url().to_owned() },
            database_url: if wired { database_wire.url(&database.url()) } else { database.url() },
            sql_database_url: Some(SqlLogin::url_of(&database)),
            sql_timeout: Duration::from_secs(3),
            sql_connections: 4,
            sql_per_project: 2,
            workspace_url: if wired { database_wire.url(&database.url()) } else { database.url() },
            nats_url: if wired { nats_wire.url(nats.url()) } else { nats.url().to_owned() },
            replicas: 1,
            statement_timeout: Duration::from_secs(if wired { 1 } else { 20 }),
            answers_kept: Duration::from_secs(10),
            query_events,
            memory: 64 << 20,
            queries_per_project: 6,
            webhooks: Webhooks { private_allowed: true, patience: Duration::from_secs(5) },
            webhook_key: WebhookKey(Some(WEBHOOK_KEY.parse().unwrap())),
            mails: false,
            trusted_proxies: TrustedProxies::loopback(),
            shutdown_grace: Duration::from_secs(25),
            clock,
        };
        let url = start(config.clone(), process).await;

        // Nothing here has to survive a power cut, and compaction commits once a set.
        let hasty = format!("{}?options=-csynchronous_commit%3Doff", database.url());
        let storage = Database::new(&hasty, PoolSettings::named("test")).unwrap();
        Self {
            client: reqwest::Client::new(),
            storage,
            nats,
            redis,
            config,
            everything: everything.drop_guard(),
            database,
            database_wire,
            nats_wire,
            redis_wire,
            auth,
            url,
        }
    }

    /// Where the analytics listens that is there from the beginning.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Another analytics beside it, which has nothing in its memory: where it listens.
    pub(crate) async fn replica(&self) -> String {
        start(self.config.clone(), self.process()).await
    }

    fn process(&self) -> Process {
        Process { shutdown: self.everything.token().clone(), metrics: None }
    }

    /// A question without credentials, to be changed and sent.
    pub(crate) fn anonymous(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    /// Any request, to be completed and sent.
    pub(crate) fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Where Redis is.
    pub(crate) fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// The broker, to hear what is told.
    pub(crate) async fn broker(&self) -> Broker {
        Broker::connect(self.nats.url(), "story", Duration::from_secs(3)).await.unwrap()
    }

    /// A question with a key.
    pub(crate) fn request(&self, path: &str, key: &ApiKey) -> RequestBuilder {
        self.anonymous(path).bearer_auth(key.reveal())
    }

    /// Asks, and expects an answer.
    pub(crate) async fn ask(&self, project: &Project, path: &str) -> Answer {
        let response = self.request(path, &project.key).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", response.text().await.unwrap());
        let source = header(&response, "x-millrace-source");
        Answer { source, body: response.json().await.unwrap() }
    }

    /// A question in the query language, to be sent.
    pub(crate) fn query(&self, project: &Project, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}/api/v1/query", self.url)).bearer_auth(project.key.reveal()).json(body)
    }

    /// Asks in the query language, and expects an answer.
    pub(crate) async fn answer(&self, project: &Project, body: &Value) -> Answer {
        let response = self.query(project, body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{body}: {}", response.text().await.unwrap());
        let source = header(&response, "x-millrace-source");
        Answer { source, body: response.json().await.unwrap() }
    }
}

async fn start(config: Config, process: Process) -> String {
    let app = App::build(config, process).await.unwrap();
    let url = format!("http://{}", app.address().unwrap());
    tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
    url
}

/// Whether two answers say the same: equal, but for the last digits of numbers with a fraction.
pub(crate) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        _ => one == other,
    }
}

/// What analytics says, and what it says it from.
pub(crate) struct Answer {
    pub(crate) source: String,
    pub(crate) body: Value,
}

/// The status and the body of an error.
pub(crate) async fn problem(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(header(&response, "content-type"), "application/problem+json");
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(crate) fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}
