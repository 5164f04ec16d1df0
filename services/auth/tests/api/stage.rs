//! What every story here needs: auth, running, and people with accounts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use millrace_auth::app::App;
use millrace_auth::config::Config;
use millrace_auth::registration::Registration;
use millrace_domain::access::Role;
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_http::client_address::TrustedProxies;
use millrace_messaging::broker::Broker;
use millrace_runtime::launch::Process;
use millrace_security::password::{Cost, Password};
use millrace_storage::accounts::{self, NewAccount};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_storage::{members, projects};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const MASTER_KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub(crate) struct Stage {
    pub(crate) database: TestDatabase,
    pub(crate) nats: TestNats,
    pub(crate) redis: TestRedis,
    /// The wire between auth and PostgreSQL.
    pub(crate) database_wire: ChaosProxy,
    /// The wire between auth and NATS.
    pub(crate) nats_wire: ChaosProxy,
    /// The wire between auth and Redis.
    pub(crate) redis_wire: ChaosProxy,
    pub(crate) client: reqwest::Client,
    auth: Option<Running>,
}

/// An auth that runs until it is stopped, or dropped.
pub(crate) struct Running {
    pub(crate) url: String,
    shutdown: DropGuard,
    ended: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        drop(self.shutdown);
        self.ended.await.unwrap();
    }
}

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) id: AccountId,
    pub(crate) email: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Person {
    /// Whoever was granted these tokens.
    pub(crate) fn granted(grant: &Value) -> Self {
        let token = |name: &str| grant[name].as_str().unwrap().to_owned();
        let (access, refresh) = (token("access_token"), token("refresh_token"));
        Self { id: AccountId(uuid::Uuid::nil()), email: String::new(), access, refresh }
    }
}

impl Stage {
    pub(crate) async fn set() -> Self {
        Self::with_cost(4).await
    }

    pub(crate) async fn with_cost(cost: u32) -> Self {
        Self::with(|config| config.bcrypt_cost = Cost::new(cost).unwrap()).await
    }

    /// With other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let database_wire = ChaosProxy::before(&database.url()).await;
        let nats_wire = ChaosProxy::before(nats.url()).await;
        let redis_wire = ChaosProxy::before(redis.url()).await;
        let mut config = Config {
            redis_url: redis_wire.url(redis.url()),
            ..config(&database_wire.url(&database.url()), &nats_wire.url(nats.url()))
        };
        change(&mut config);
        let auth = start(config).await;
        let client = reqwest::Client::new();
        Self { database, nats, redis, database_wire, nats_wire, redis_wire, client, auth: Some(auth) }
    }

    /// Ends auth and starts it again, on the same servers.
    pub(crate) async fn restart(&mut self) {
        self.restart_with(|_| {}).await;
    }

    /// The same, with other settings.
    pub(crate) async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        let redis_url = self.redis.url().to_owned();
        let mut config = Config { redis_url, ..config(&self.database.url(), self.nats.url()) };
        change(&mut config);
        self.auth = Some(start(config).await);
    }

    /// Ends auth, and waits until what it had in hand is finished.
    pub(crate) async fn stop(&mut self) {
        if let Some(auth) = self.auth.take() {
            auth.stop().await;
        }
    }

    /// Another auth on the same servers, not by way of the wires.
    pub(crate) async fn replica(&self) -> Running {
        let redis_url = self.redis.url().to_owned();
        start(Config { redis_url, ..config(&self.database.url(), self.nats.url()) }).await
    }

    /// Where auth is.
    pub(crate) fn url(&self) -> &str {
        &self.auth.as_ref().unwrap().url
    }

    /// An account that is signed in.
    pub(crate) async fn person(&self, name: &str) -> Person {
        self.sign_up(name, false).await
    }

    /// The same, with the system role.
    pub(crate) async fn system_admin(&self, name: &str) -> Person {
        self.sign_up(name, true).await
    }

    async fn sign_up(&self, name: &str, is_admin: bool) -> Person {
        let email = format!("{name}@example.com");
        let password_hash = &Password::parse(PASSWORD).unwrap().hash(Cost::new(4).unwrap()).unwrap();
        let new = NewAccount {
            email: &email,
            password_hash: Some(password_hash),
            full_name: Some(name),
            is_admin,
            email_verified: true,
        };
        let mut store = self.store().await;
        let id = accounts::create(&mut store, new).await.unwrap().id;
        let (status, answer) = self.login(&email, PASSWORD).await;
        assert_eq!(status, 200, "{answer}");
        Person { id, email, ..Person::granted(&answer) }
    }

    /// A project with this member, and no other.
    pub(crate) async fn project_of(&self, member: &Person, role: Role) -> ProjectId {
        let mut store = self.store().await;
        let project = projects::create(&mut store, "A story", "UTC".parse().unwrap()).await.unwrap().id;
        members::set(&mut store, project, member.id, role).await.unwrap();
        project
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> (u16, Value) {
        answer(
            self.to(Method::POST, "/api/v1/auth/login").json(&json!({"email": email, "password": password})),
        )
        .await
    }

    /// A request to be completed and sent.
    pub(crate) fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url()))
    }

    pub(crate) async fn get(&self, path: &str, person: &Person) -> (u16, Value) {
        answer(self.to(Method::GET, path).bearer_auth(&person.access)).await
    }

    pub(crate) async fn post(&self, path: &str, person: &Person, body: Value) -> (u16, Value) {
        answer(self.to(Method::POST, path).bearer_auth(&person.access).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str, person: &Person) -> u16 {
        answer(self.to(Method::DELETE, path).bearer_auth(&person.access)).await.0
    }

    /// The database, past auth.
    pub(crate) async fn store(&self) -> Connection {
        let database = Database::new(&self.database.url(), PoolSettings::named("test")).unwrap();
        database.connection().await.unwrap()
    }

    /// The broker, as another service has it.
    pub(crate) async fn broker(&self) -> Broker {
        Broker::connect(self.nats.url(), "test", Duration::from_secs(2)).await.unwrap()
    }
}

async fn start(config: Config) -> Running {
    let shutdown = CancellationToken::new();
    let process = Process { shutdown: shutdown.clone(), metrics: Some(recorder()) };
    let app = App::build(config, process).await.unwrap();
    let url = format!("http://{}", app.address().unwrap());
    let ended = tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()).unwrap() });
    Running { url, shutdown: shutdown.drop_guard(), ended }
}

/// Settings for an auth between these servers, without Redis.
pub(crate) fn config(database_url: &str, nats_url: &str) -> Config {
    Config {
        bind: ANY_PORT,
        socket: None,
        database_url: database_url.to_owned(),
        nats_url: nats_url.to_owned(),
        redis_url: "redis://127.0.0.1:1".to_owned(),
        trusted_proxies: TrustedProxies::loopback(),
        public_url: None,
        cookie_renewal: Duration::from_secs(900),
        master_key: MASTER_KEY.parse().unwrap(),
        issuer: "test".to_owned(),
        bcrypt_cost: Cost::new(4).unwrap(),
        mail: None,
        registration: Registration::Open,
        registration_limit: 10,
        require_verified_email: false,
        audit: millrace_messaging::streams::AuditLimits { bytes: 16 << 20, replicas: 1 },
        openid: None,
        exports: None,
        import_bytes: 1 << 20,
        shutdown_grace: Duration::from_secs(5),
    }
}

/// The status and the body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or_default())
}

/// One for all tests that share a process.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| millrace_runtime::metrics::install().unwrap()).clone()
}
