//! Services, started as programs.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;

use millrace_domain::access::Scope;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::{story, wait};
use tokio::process::{Child, Command};

/// A running service.
pub(crate) struct Service {
    name: &'static str,
    pub(crate) address: SocketAddr,
    settings: Vec<(&'static str, String)>,
    process: Child,
}

impl Service {
    /// Starts one at an address that is free a moment before it is used, and waits until it is ready.
    pub(crate) async fn start(name: &'static str, settings: &[(&'static str, String)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = launch(name, address, settings);
        let service = Self { name, address, settings: settings.to_vec(), process };
        service.until_ready().await;
        service
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends SIGTERM, and waits for a good end.
    pub(crate) async fn stop(&mut self) {
        let pid = self.process.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let ended = tokio::time::timeout(wait::DEADLINE, self.process.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("{} does not end", self.name)).unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// Starts it anew where it was.
    pub(crate) async fn start_again(&mut self) {
        self.process = launch(self.name, self.address, &self.settings);
        self.until_ready().await;
    }

    /// What the kernel says of its memory, in MiB.
    pub(crate) fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    async fn until_ready(&self) {
        let url = format!("{}/health/ready", self.url());
        wait::until(&format!("{} is ready", self.name), async || {
            reqwest::get(&url).await.is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }
}

fn launch(name: &str, address: SocketAddr, settings: &[(&'static str, String)]) -> Child {
    let binary = binaries().join(format!("millrace-{name}"));
    Command::new(&binary)
        .env_clear()
        .env("MILLRACE_BIND", address.to_string())
        .env("MILLRACE_LOG", "warn")
        .envs(settings.iter().map(|(name, value)| (*name, value.as_str())))
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{} (build the workspace first): {error}", binary.display()))
}

/// Where cargo puts programs: tests are in a folder below.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).expect("a test is in a folder of a folder").to_owned()
}

/// What services need: servers of their own, auth, and a project with a key to send events.
pub(crate) struct Ground {
    _auth: Service,
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) key: ApiKey,
    pub(crate) database: TestDatabase,
    pub(crate) nats: TestNats,
    _redis: TestRedis,
}

impl Ground {
    pub(crate) async fn prepare() -> Self {
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let project = story::project(&database.url(), "UTC").await;
        let key = ApiKey::generate().unwrap();
        let (hash, shown, scopes) = (&key.hash().0, key.shown(), &[Scope::Ingest]);
        let new = NewApiKey { name: "story", hash, shown, scopes, expires_at: None };
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        api_keys::create(&mut pool.connection().await.unwrap(), project, new).await.unwrap();
        let settings = vec![
            ("DATABASE_URL", database.url()),
            ("NATS_URL", nats.url().to_owned()),
            ("REDIS_URL", redis.url().to_owned()),
            ("MILLRACE_MASTER_KEY", "0123456789abcdef".repeat(4)),
            ("MILLRACE_API_LIMIT", "off".to_owned()),
            ("MILLRACE_ADDRESS_LIMIT", "off".to_owned()),
            ("MILLRACE_EVENTS_BYTES", "64MiB".to_owned()),
            ("MILLRACE_DEAD_LETTERS_BYTES", "16MiB".to_owned()),
        ];
        let auth = Service::start("auth", &settings).await;
        Self { _auth: auth, settings, key, database, nats, _redis: redis }
    }

    /// Starts a service on it.
    pub(crate) async fn start(&self, name: &'static str) -> Service {
        Service::start(name, &self.settings).await
    }

    /// Starts a gateway in front of these instances of ingest.
    pub(crate) async fn gateway(&self, ingest: &[Service]) -> Service {
        let origins: Vec<_> = ingest.iter().map(Service::url).collect();
        let origins = ("MILLRACE_INGEST_URL", origins.join(","));
        Service::start("gateway", &[&self.settings[..], &[origins]].concat()).await
    }

    /// How many messages nobody has stored yet.
    pub(crate) async fn messages_in_the_log(&self) -> u64 {
        let url: url::Url = self.nats.url().parse().unwrap();
        let (user, password) = (url.username().to_owned(), url.password().unwrap_or_default().to_owned());
        let options = async_nats::ConnectOptions::with_user_and_password(user, password);
        let jetstream = async_nats::jetstream::new(options.connect(url.as_str()).await.unwrap());
        jetstream.get_stream("EVENTS").await.unwrap().cached_info().state.messages
    }
}
