//! The five services, put together in one process, with a project to work in.

use std::net::SocketAddr;

use millrace_domain::access::Scope;
use millrace_domain::ids::ProjectId;
use millrace_runtime::config::Env;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::sql_login::SqlLogin;
use millrace_testkit::story::project;
use millrace_testkit::wait;
use serde_json::Value;
use tokio_util::sync::{CancellationToken, DropGuard};

pub(crate) struct Product {
    pub(crate) database: TestDatabase,
    pub(crate) project: ProjectId,
    pub(crate) zone: &'static str,
    pub(crate) url: String,
    ingest_key: ApiKey,
    read_key: ApiKey,
    pub(crate) client: reqwest::Client,
    // Dropped after the services were asked to stop.
    _running: DropGuard,
    _nats: TestNats,
    _redis: TestRedis,
    _files: tempfile::TempDir,
}

/// Starts a service from the settings and says where it listens.
macro_rules! start {
    ($service:ident, $settings:expr, $shutdown:expr $(, $asynchronously:tt)?) => {{
        let env = Env::of($settings.iter().cloned());
        let config = $service::config::Config::from_env(env).unwrap();
        let process = Process { shutdown: $shutdown.clone(), metrics: None };
        let app = $service::app::App::build(config, process)$(.$asynchronously)?.unwrap();
        let address: SocketAddr = app.address().unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
        format!("http://{address}")
    }};
}

impl Product {
    /// With an empty project whose days are days of `zone`.
    pub(crate) async fn start(zone: &'static str) -> Self {
        // A Redis of its own as well: sign-ins and registrations are counted by address, and tests share one.
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let project = project(&database.url(), zone).await;
        let files = tempfile::tempdir().unwrap();
        let shutdown = CancellationToken::new();
        let mut settings: Vec<(&str, String)> = vec![
            ("DATABASE_URL", database.url()),
            ("NATS_URL", nats.url().to_owned()),
            ("REDIS_URL", redis.url().to_owned()),
            ("MILLRACE_BIND", "127.0.0.1:0".to_owned()),
            ("MILLRACE_MASTER_KEY", "0123456789abcdef".repeat(4)),
            ("MILLRACE_WEBHOOK_KEY", "fedcba9876543210".repeat(4)),
            // Tests share an address, and ask faster than people do.
            ("MILLRACE_API_LIMIT", "off".to_owned()),
            ("MILLRACE_ADDRESS_LIMIT", "off".to_owned()),
            ("MILLRACE_EVENTS_BYTES", "64MiB".to_owned()),
            ("MILLRACE_DEAD_LETTERS_BYTES", "16MiB".to_owned()),
            ("MILLRACE_EXPORTS", files.path().to_str().unwrap().to_owned()),
            ("MILLRACE_JOB_POLL", "200ms".to_owned()),
            ("ANALYTICS_SQL_DATABASE_URL", SqlLogin::url_of(&database)),
        ];
        let auth = start!(millrace_auth, settings, shutdown, await);
        let ingest = start!(millrace_ingest, settings, shutdown, await);
        let worker = start!(millrace_worker, settings, shutdown, await);
        let analytics = start!(millrace_analytics, settings, shutdown, await);
        settings.extend([
            ("MILLRACE_AUTH_URL", auth),
            ("MILLRACE_INGEST_URL", ingest),
            ("MILLRACE_WORKER_URL", worker),
            ("MILLRACE_ANALYTICS_URL", analytics),
        ]);
        let url = start!(millrace_gateway, settings, shutdown);
        let (ingest_key, read_key) = (ApiKey::generate().unwrap(), ApiKey::generate().unwrap());
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        let mut connection = pool.connection().await.unwrap();
        for (key, scope) in [(&ingest_key, Scope::Ingest), (&read_key, Scope::Read)] {
            let hash = key.hash().0;
            let new = NewApiKey {
                name: "story",
                hash: &hash,
                shown: key.shown(),
                scopes: &[scope],
                expires_at: None,
            };
            api_keys::create(&mut connection, project, new).await.unwrap();
        }
        let product = Self {
            client: reqwest::Client::new(),
            _running: shutdown.drop_guard(),
            _nats: nats,
            _redis: redis,
            _files: files,
            database,
            project,
            zone,
            url,
            ingest_key,
            read_key,
        };
        wait::until("the product answers", async || {
            product.try_ask("top-events?from=2026-01-01&to=2026-01-02").await.is_some()
        })
        .await;
        product
    }

    /// Runs the `millrace` command with the project's keys, and gives its exit code and what it printed.
    pub(crate) async fn millrace(&self, arguments: &[&str]) -> (i32, String) {
        self.millrace_with(&[], arguments).await
    }

    /// The same, with these in its environment.
    pub(crate) async fn millrace_with(
        &self,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> (i32, String) {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(arguments)
            .env("MILLRACE_URL", &self.url)
            .env("MILLRACE_INGEST_KEY", self.ingest_key.reveal())
            .env("MILLRACE_READ_KEY", self.read_key.reveal())
            .envs(environment.iter().copied())
            .output()
            .await
            .unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code().unwrap(), text)
    }

    pub(crate) fn ingest_key(&self) -> &str {
        self.ingest_key.reveal()
    }

    pub(crate) fn read_key(&self) -> &str {
        self.read_key.reveal()
    }

    /// The `data` of an answer of `/api/v1/stats/`.
    pub(crate) async fn ask(&self, question: &str) -> Vec<Value> {
        self.try_ask(question).await.unwrap_or_else(|| panic!("{question} is not answered"))
    }

    async fn try_ask(&self, question: &str) -> Option<Vec<Value>> {
        let url = format!("{}/api/v1/stats/{question}", self.url);
        let answer = self.client.get(url).bearer_auth(self.read_key.reveal()).send().await.ok()?;
        let body: Value = answer.error_for_status().ok()?.json().await.ok()?;
        body["data"].as_array().cloned()
    }
}
