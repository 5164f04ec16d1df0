//! The five services as processes of their own, against a database of their own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use millrace_cli::client::{BaseUrl, Key};
use millrace_domain::access::Scope;
use millrace_domain::ids::ProjectId;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::{servers, story};
use tempfile::TempDir;
use tokio::process::{Child, Command};

const STORE_DEADLINE: Duration = Duration::from_secs(600);
const SERVICES: [&str; 5] = ["gateway", "auth", "ingest", "worker", "analytics"];

/// A running product.
pub struct Product {
    pub database: TestDatabase,
    pub project: ProjectId,
    pub key: ApiKey,
    ports: [u16; 5],
    /// Where services listen for the gateway, as `make up` has them do.
    sockets: TempDir,
    settings: Vec<(&'static str, String)>,
    running: Vec<(&'static str, Child)>,
}

impl Product {
    /// Migrates, creates a project and a key for both purposes, and starts the services in `services`.
    pub async fn start(services: &[&'static str]) -> anyhow::Result<Self> {
        Self::start_with(services, &[]).await
    }

    /// The same with settings of its own.
    pub async fn start_with(
        services: &[&'static str],
        settings: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        let database = TestDatabase::create().await;
        let project = story::project(&database.url(), "UTC").await;
        let key = ApiKey::generate()?;
        let pool = Database::new(&database.url(), PoolSettings::named("bench"))?;
        let scopes = [Scope::Ingest, Scope::Read];
        let new = NewApiKey {
            name: "bench",
            hash: &key.hash().0,
            shown: key.shown(),
            scopes: &scopes,
            expires_at: None,
        };
        api_keys::create(&mut *pool.connection().await?, project, new).await?;
        let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut product = Self {
            database,
            project,
            key,
            ports: free_ports()?,
            sockets: tempfile::tempdir()?,
            settings,
            running: Vec::new(),
        };
        for service in services {
            product.launch(service)?;
        }
        product.until_ready(services).await?;
        Ok(product)
    }

    /// The gateway's address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> anyhow::Result<SocketAddr> {
        let index = SERVICES.iter().position(|name| *name == service).context("there is such a service")?;
        Ok(SocketAddr::from(([127, 0, 0, 1], self.ports[index])))
    }

    /// Ends a service and starts it again, so that the next question is its first.
    pub async fn restart(&mut self, service: &'static str) -> anyhow::Result<()> {
        if let Some(place) = self.running.iter().position(|(name, _)| *name == service) {
            self.running.swap_remove(place).1.kill().await?;
        }
        self.launch(service)?;
        self.until_ready(&[service]).await
    }

    /// Starts one more worker, with a port for its health that nobody asks for.
    pub fn hire_worker(&mut self) -> anyhow::Result<()> {
        let child = self.command("worker", "127.0.0.1:0".to_owned())?.spawn()?;
        self.running.push(("worker", child));
        Ok(())
    }

    /// The resident memory of each service, in MiB.
    pub fn memory(&self) -> Vec<(&'static str, f64)> {
        self.of_each("VmRSS:")
    }

    /// The most that it ever was, in MiB.
    pub fn peak_memory(&self) -> Vec<(&'static str, f64)> {
        self.of_each("VmHWM:")
    }

    /// A figure that Linux has of each process, in MiB where it says KiB.
    fn of_each(&self, field: &str) -> Vec<(&'static str, f64)> {
        let figure = |child: &Child| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()?)).ok()?;
            let line = status.lines().find(|line| line.starts_with(field))?;
            line.split_whitespace().nth(1)?.parse::<f64>().ok()
        };
        self.running.iter().filter_map(|(name, child)| Some((*name, figure(child)? / 1024.0))).collect()
    }

    /// A metric of a service: the sum over its labels.
    pub async fn metric(&self, service: &str, name: &str) -> anyhow::Result<f64> {
        let text = reqwest::get(format!("http://{}/metrics", self.address(service)?)).await?.text().await?;
        let is_it = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        Ok(text.lines().filter(is_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Waits until so many events are stored and counted and no more come, and returns how many those are: at most
    /// `in_doubt` more.
    pub async fn until_stored(&self, events: u64, in_doubt: u64) -> anyhow::Result<u64> {
        let counted = "SELECT coalesce(sum(count), 0)::bigint FROM event_counts WHERE project_id = $1";
        let client = self.database.client().await;
        let all = async {
            loop {
                let counted =
                    u64::try_from(client.query_one(counted, &[&self.project.0]).await?.get::<_, i64>(0))?;
                if counted >= events
                    && (in_doubt == 0 || self.metric("worker", "worker_consumer_lag").await? == 0.0)
                {
                    return anyhow::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(STORE_DEADLINE, all).await.context("the events are not stored in time")??;
        let stored: i64 = client.query_one("SELECT count(*) FROM events", &[]).await?.get(0);
        let stored = u64::try_from(stored)?;
        ensure!(
            (events..=events + in_doubt).contains(&stored),
            "{stored} events are stored, of {events} that were accepted and {in_doubt} in doubt"
        );
        Ok(stored)
    }

    /// The gateway, for a load run.
    pub fn url_for_load(&self) -> anyhow::Result<BaseUrl> {
        self.url().parse().map_err(|error| anyhow::anyhow!("{error}"))
    }

    /// The key, for a load run.
    pub fn key_for_load(&self) -> anyhow::Result<Key> {
        self.key.reveal().parse().map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn launch(&mut self, service: &'static str) -> anyhow::Result<()> {
        let index = SERVICES.iter().position(|name| *name == service).context("there is such a service")?;
        let bind = format!("127.0.0.1:{}", self.ports[index]);
        let child = self
            .command(service, bind)?
            .spawn()
            .with_context(|| format!("{service} cannot be started: build the release binaries first"))?;
        self.running.push((service, child));
        Ok(())
    }

    fn command(&self, service: &'static str, bind: String) -> anyhow::Result<Command> {
        let address = |index: usize| format!("127.0.0.1:{}", self.ports[index]);
        let socket = |service: &str| self.sockets.path().join(format!("{service}.sock"));
        let beside = |service: &str| format!("unix:{}", socket(service).display());
        let binary = binaries()?.join(format!("millrace-{service}"));
        let log = log_of(service)?;
        let mut command = Command::new(&binary);
        command
            .env("DATABASE_URL", self.database.url())
            .env("NATS_URL", servers::nats_url())
            .env("REDIS_URL", servers::redis_url())
            .env("MILLRACE_BIND", bind)
            .env("MILLRACE_SOCKET", socket(service))
            .env("MILLRACE_AUTH_URL", beside("auth"))
            .env("MILLRACE_INGEST_URL", beside("ingest"))
            .env("MILLRACE_WORKER_URL", format!("http://{}", address(3)))
            .env("MILLRACE_ANALYTICS_URL", beside("analytics"))
            .env("MILLRACE_MASTER_KEY", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff")
            .env("MILLRACE_WEBHOOK_KEY", "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100")
            .env("MILLRACE_API_LIMIT", "off")
            .env("MILLRACE_ADDRESS_LIMIT", "off")
            .env("MILLRACE_LOG", "warn")
            // As wherever analytics is deployed.
            .envs((service == "analytics").then_some(("MALLOC_ARENA_MAX", "2")))
            .envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())))
            .stdout(log)
            .kill_on_drop(true);
        Ok(command)
    }

    async fn until_ready(&self, services: &[&'static str]) -> anyhow::Result<()> {
        let client = reqwest::Client::new();
        for service in services {
            let index =
                SERVICES.iter().position(|name| name == service).context("there is such a service")?;
            let url = format!("http://127.0.0.1:{}/health/ready", self.ports[index]);
            let ready = async {
                while !client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(Duration::from_secs(20), ready).await.is_err() {
                bail!("{service} does not become ready; its log is {}", log_path(service).display());
            }
        }
        Ok(())
    }
}

fn binaries() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program is in a folder")?.to_owned())
}

fn log_path(service: &str) -> PathBuf {
    Path::new("target/bench").join(format!("{service}.log"))
}

fn log_of(service: &str) -> anyhow::Result<File> {
    std::fs::create_dir_all("target/bench")?;
    Ok(File::options().create(true).append(true).open(log_path(service))?)
}

/// Five ports that are free a moment before they are used.
fn free_ports() -> anyhow::Result<[u16; 5]> {
    let sockets: Vec<TcpListener> =
        (0..5).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let ports: Vec<u16> =
        sockets.iter().map(|socket| socket.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?;
    ports.try_into().map_err(|_other_length| anyhow::anyhow!("five sockets have five ports"))
}
