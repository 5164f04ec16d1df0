//! The product as operators run it: processes that are started again when they end, and servers behind wires that can be
//! cut.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, io};

use anyhow::{Context, bail};
use millrace_domain::access::Scope;
use millrace_domain::ids::ProjectId;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::proxy::ChaosProxy;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::story;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

mod event_log;
mod server;

pub use server::Server;

/// Every process and its binary.
const PROCESSES: [(&str, &str); 5] = [
    ("gateway", "millrace-gateway"),
    ("auth", "millrace-auth"),
    ("ingest", "millrace-ingest"),
    ("worker", "millrace-worker"),
    ("worker-2", "millrace-worker"),
];
pub const ZONE: &str = "Asia/Kolkata";
const EVENTS_BYTES: i64 = 256 << 20;

/// Everything that runs.
#[derive(Debug)]
pub struct Product {
    /// Dropped first: nobody speaks to the database when it is dropped.
    running: Mutex<BTreeMap<&'static str, Child>>,
    pub database: TestDatabase,
    pub project: ProjectId,
    pub key: ApiKey,
    /// Starts of processes that had ended.
    pub restarts: AtomicU64,
    nats: TestNats,
    redis: TestRedis,
    wires: [ChaosProxy; 3],
    ports: BTreeMap<&'static str, u16>,
}

impl Product {
    pub async fn start() -> anyhow::Result<Self> {
        let (database, nats, redis) =
            tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
        let project = story::project(&database.url(), ZONE).await;
        let key = ApiKey::generate()?;
        let pool = Database::new(&database.url(), PoolSettings::named("chaos"))?;
        let new = NewApiKey {
            name: "chaos",
            hash: &key.hash().0,
            shown: key.shown(),
            scopes: &[Scope::Ingest, Scope::Read],
            expires_at: None,
        };
        api_keys::create(&mut *pool.connection().await?, project, new).await?;
        let wires = [
            ChaosProxy::before(&database.url()).await,
            ChaosProxy::before(nats.url()).await,
            ChaosProxy::before(redis.url()).await,
        ];
        let product = Self {
            database,
            project,
            key,
            restarts: AtomicU64::default(),
            nats,
            redis,
            wires,
            ports: free_ports()?,
            running: Mutex::default(),
        };
        product.start_what_has_ended()?;
        product.restarts.store(0, Ordering::Relaxed);
        product.until_it_answers().await?;
        Ok(product)
    }

    /// The gateway's address.
    pub fn url(&self) -> String {
        self.address("gateway")
    }

    /// The wire to a server.
    pub fn wire(&self, server: Server) -> &ChaosProxy {
        let [postgres, nats, redis] = &self.wires;
        match server {
            Server::Postgres => postgres,
            Server::Nats => nats,
            Server::Redis => redis,
        }
    }

    /// Whether the servers are this run's own.
    pub fn may_crash_servers(&self) -> bool {
        env::var("MILLRACE_CHAOS_SERVERS").is_ok_and(|own| own == "1")
            && env::var("MILLRACE_TEST_STACK").is_ok()
    }

    /// Starts again what has ended, as the init system of a server would, until `over`.
    pub async fn supervise(self: std::sync::Arc<Self>, over: CancellationToken) {
        while !over.is_cancelled() {
            self.start_what_has_ended().expect("services can be started");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    fn start_what_has_ended(&self) -> anyhow::Result<()> {
        let mut running = self.running.lock().unwrap();
        for (name, binary) in PROCESSES {
            let ended = running.get_mut(name).is_none_or(|child| child.try_wait().is_ok_and(|s| s.is_some()));
            if ended {
                running.insert(name, self.launch(name, binary)?);
                self.restarts.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn launch(&self, name: &'static str, binary: &str) -> anyhow::Result<Child> {
        let path = binaries()?.join(binary);
        let bind = self.address(name).replace("http://", "");
        // Neighbours, as on any machine that runs all of it.
        let socket = |name: &str| logs().join(format!("{name}.sock"));
        let beside = |name: &str| format!("unix:{}", socket(name).display());
        Command::new(&path)
            .env("DATABASE_URL", self.wire(Server::Postgres).url(&self.database.url()))
            .env("NATS_URL", self.wire(Server::Nats).url(self.nats.url()))
            .env("REDIS_URL", self.wire(Server::Redis).url(self.redis.url()))
            .env("MILLRACE_BIND", bind)
            .env("MILLRACE_SOCKET", socket(name))
            .env("MILLRACE_AUTH_URL", beside("auth"))
            .env("MILLRACE_INGEST_URL", beside("ingest"))
            .env("MILLRACE_WORKER_URL", self.address("worker"))
            .env("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
            .env("MILLRACE_WEBHOOK_KEY", "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100")
            .env("MILLRACE_API_LIMIT", "off")
            .env("MILLRACE_ADDRESS_LIMIT", "off")
            .env("MILLRACE_EVENTS_BYTES", EVENTS_BYTES.to_string())
            .env("MILLRACE_DEAD_LETTERS_BYTES", "16MiB")
            .env("MILLRACE_ACK_WAIT", "6s")
            .env("MILLRACE_STATEMENT_TIMEOUT", "5s")
            .env("MILLRACE_LOG", "warn")
            .stdout(log_of(name)?)
            .stderr(log_of(name)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started: build the workspace first", path.display()))
    }

    fn address(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}", self.ports[name])
    }

    /// SIGKILL for a service.
    pub async fn kill(&self, name: &str) -> anyhow::Result<()> {
        let child = self.running.lock().unwrap().remove(name);
        match child {
            Some(mut child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }

    /// SIGKILL for a server, which comes back after a while.
    pub async fn crash(&self, server: Server, away: Duration) -> anyhow::Result<()> {
        server.stack("kill").await?;
        tokio::time::sleep(away).await;
        server.stack("start").await
    }

    async fn until_it_answers(&self) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        for name in self.ports.keys() {
            let url = format!("{}/health/ready", self.address(name));
            let ready = async {
                while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    self.start_what_has_ended().expect("services can be started");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            // The gateway waits for analytics, too, which has no part in this.
            if *name != "gateway" && tokio::time::timeout(Duration::from_secs(20), ready).await.is_err() {
                bail!("{name} does not become ready; its log is in {}", logs().display());
            }
        }
        Ok(())
    }
}

fn binaries() -> anyhow::Result<PathBuf> {
    let own = env::current_exe()?;
    Ok(own.parent().context("a program is in a folder")?.to_owned())
}

fn logs() -> PathBuf {
    env::temp_dir().join(format!("millrace-chaos-{}", std::process::id()))
}

fn log_of(name: &str) -> io::Result<File> {
    let folder = logs();
    std::fs::create_dir_all(&folder)?;
    File::options().create(true).append(true).open(Path::new(&folder).join(format!("{name}.log")))
}

/// A port for each that is free a moment before it is used.
fn free_ports() -> io::Result<BTreeMap<&'static str, u16>> {
    let sockets: Vec<(&str, TcpListener)> = PROCESSES
        .iter()
        .map(|(name, _)| Ok((*name, TcpListener::bind("127.0.0.1:0")?)))
        .collect::<io::Result<_>>()?;
    sockets.iter().map(|(name, socket)| Ok((*name, socket.local_addr()?.port()))).collect()
}
