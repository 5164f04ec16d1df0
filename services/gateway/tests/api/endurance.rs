//! What is meant to wear the door out. The program as it is run, with services behind it: it refuses, its memory stays
//! within 50 MiB of what it was, and others are answered throughout.

use std::io::Write;
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::join_all;
use millrace_domain::access::Scope;
use millrace_runtime::config::Env;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_testkit::{servers, wait};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use crate::gateway::{client, nobody};
use crate::http2::Frames;
use crate::raw::Wire;
use crate::stage::Stage;
use crate::tls::Authority;
use crate::upstream::Upstream;

mod watchers;

const MOST_MIB: u64 = 50;

/// The program.
struct Door {
    process: Child,
    address: SocketAddr,
    /// Its memory before anything happened, in MiB.
    calm: u64,
}

impl Door {
    async fn open(settings: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_millrace-gateway"))
            .env_clear()
            .env("MILLRACE_BIND", "127.0.0.1:0")
            .env("MILLRACE_API_LIMIT", "off")
            .env("MILLRACE_ADDRESS_LIMIT", "off")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = loop {
            let line = log.next_line().await.unwrap().expect("it logs where it listens");
            let entry: Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = entry["address"].as_str() {
                break address.parse().unwrap();
            }
        };
        tokio::spawn(async move { while log.next_line().await.is_ok_and(|line| line.is_some()) {} });
        let mut door = Self { process, address, calm: 0 };
        door.calm = door.memory("VmRSS");
        door
    }

    /// What the kernel says of its memory, in MiB.
    fn memory(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// The most it has ever had: no moment is missed.
    fn endured(&self, what: &str) {
        let (most, calm) = (self.memory("VmHWM"), self.calm);
        #[expect(clippy::print_stdout, reason = "a figure that is not asserted")]
        {
            println!("{what}: {most} MiB at most, {calm} MiB before");
        }
        assert!(most < calm + MOST_MIB, "{what}: {most} MiB, and {calm} MiB before");
    }
}

/// Somebody who goes on asking. Every answer must be 200.
struct Bystander {
    /// How long the answers took since they were last looked at.
    took: Arc<Mutex<Vec<Duration>>>,
    asking: AbortOnDropHandle<()>,
}

impl Bystander {
    fn asks(url: String, client: reqwest::Client) -> Self {
        let took = Arc::<Mutex<Vec<Duration>>>::default();
        let noted = Arc::clone(&took);
        let asking = tokio::spawn(async move {
            loop {
                let asked = Instant::now();
                assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
                noted.lock().unwrap().push(asked.elapsed());
                tokio::task::yield_now().await;
            }
        });
        Self { took, asking: AbortOnDropHandle::new(asking) }
    }

    /// Waits until more of its questions are answered, and says how long those took that it has asked since the last time.
    async fn goes_on(&self, during: &str) {
        let count = || self.took.lock().unwrap().len();
        let before = count();
        wait::until("a bystander is answered", async || count() > before + 20).await;
        assert!(!self.asking.is_finished(), "{during}: somebody else was not answered");
        let mut took = std::mem::take(&mut *self.took.lock().unwrap());
        took.sort_unstable();
        let p99 = took[took.len() * 99 / 100];
        #[expect(clippy::print_stdout, reason = "a figure that is not asserted")]
        {
            println!("{during}: p99 of {} questions of others {p99:?}", took.len());
        }
    }
}

/// Ingest, as it is, with a key for it.
pub(crate) async fn ingest(stage: &Stage) -> (SocketAddr, ApiKey, DropGuard) {
    let settings = [
        ("MILLRACE_BIND", "127.0.0.1:0".to_owned()),
        ("NATS_URL", stage.nats.url().to_owned()),
        ("REDIS_URL", servers::redis_url()),
        ("MILLRACE_EVENTS_BYTES", "64MiB".to_owned()),
        ("MILLRACE_DEAD_LETTERS_BYTES", "16MiB".to_owned()),
    ];
    let shutdown = CancellationToken::new();
    let config = millrace_ingest::config::Config::from_env(Env::of(settings)).unwrap();
    let process = Process { shutdown: shutdown.clone(), metrics: None };
    let app = millrace_ingest::app::App::build(config, process).await.unwrap();
    let address = app.address().unwrap();
    tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
    let (_, owner) = stage.person("owner").await;
    let project = stage.project_of(owner).await;
    let key = ApiKey::generate().unwrap();
    let (hash, shown, scopes) = (&key.hash().0, key.shown(), &[Scope::Ingest]);
    let new = NewApiKey { name: "k", hash, shown, scopes, expires_at: None };
    api_keys::create(&mut *stage.store().await, project, new).await.unwrap();
    (address, key, shutdown.drop_guard())
}

/// 24 MiB that are small on the wire.
fn bombs() -> [(&'static str, Vec<u8>); 2] {
    let spaces = vec![b' '; 24 << 20];
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &spaces[..], &mut brotli, &Default::default()).unwrap();
    assert!(brotli.len() <= 203, "{} bytes", brotli.len());
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&spaces).unwrap();
    [("br", brotli), ("gzip", gzip.finish().unwrap())]
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_1_nothing_wears_it_out() {
    let stage = Stage::set().await;
    let (ingest, key, _running) = ingest(&stage).await;
    let door = Door::open(&[
        ("MILLRACE_INGEST_URL", &format!("http://{ingest}")),
        ("NATS_URL", stage.nats.url()),
        ("MILLRACE_CLIENT_TIMEOUT", "1s"),
    ])
    .await;
    let bystander = Bystander::asks(format!("http://{}/api/v1/health/ingest/live", door.address), client());
    bystander.goes_on("nothing").await;

    for (coding, body) in bombs() {
        for _ in 0..8 {
            let bomb = client().post(format!("http://{}/api/v1/events", door.address)).body(body.clone());
            let bomb = bomb.bearer_auth(key.reveal()).header("content-encoding", coding);
            assert_eq!(bomb.send().await.unwrap().status(), 413, "{coding}");
        }
        bystander.goes_on(coding).await;
        door.endured(coding);
    }

    let post = "POST /api/v1/events HTTP/1.1\r\nhost: x\r\n";
    let mut endless = Wire::to(door.address).await;
    let head = format!("{post}x-api-key: {}\r\ntransfer-encoding: chunked\r\n\r\n", key.reveal());
    endless.send(head).await;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 65_536], b"\r\n"].concat();
    for _ in 0..(1_u32 << 30) / 65_536 {
        if !endless.is_taken(&chunk).await {
            break;
        }
    }
    let answer = endless.read_head().await;
    assert!(answer.starts_with("http/1.1 413"), "{answer}");
    bystander.goes_on("1 GiB in chunks").await;
    door.endured("1 GiB in chunks");

    for _ in 0..50 {
        let mut client = Wire::to(door.address).await;
        let large =
            format!("GET /api/v1/stats HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(64 << 10));
        client.send_as_far_as_it_is_taken(large).await;
        assert!(client.read_head().await.starts_with("http/1.1 431"));
    }
    door.endured("heads of 64 KiB");

    let mut slow = Vec::new();
    for request in
        [format!("{post}x: "), format!("{post}x-api-key: {}\r\ncontent-length: 100000\r\n\r\n", key.reveal())]
            .iter()
            .cycle()
            .take(100)
    {
        let mut client = Wire::to(door.address).await;
        client.send(request).await;
        slow.push(tokio::spawn(async move { client.drip("x", Duration::from_secs(1)).await }));
    }
    for slow in slow {
        let head = slow.await.unwrap();
        assert!(head.starts_with("http/1.1 408"), "{head}");
    }
    bystander.goes_on("a byte a second").await;
    door.endured("a byte a second");

    let mut idle = Vec::new();
    for _ in 0..2_000 {
        idle.push(TcpStream::connect(door.address).await.unwrap());
    }
    bystander.goes_on("2,000 idle connections").await;
    door.endured("2,000 idle connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_2_nothing_wears_it_out() {
    let (upstream, authority, folder) = (Upstream::mirror(), Authority::new(), TempDir::new().unwrap());
    let files = authority.sign_into(folder.path());
    let door = Door::open(&[
        ("MILLRACE_INGEST_URL", &format!("http://{}", upstream.address)),
        ("NATS_URL", &format!("nats://{}", nobody())),
        ("MILLRACE_TLS_CERT", files.certificate.to_str().unwrap()),
        ("MILLRACE_TLS_KEY", files.key.to_str().unwrap()),
    ])
    .await;
    let port = door.address.port();
    let url = format!("https://localhost:{port}/api/v1/health/ingest/live");
    let bystander = Bystander::asks(url, authority.client().build().unwrap());
    bystander.goes_on("nothing").await;
    let frames = || Frames::to(door.address, &authority);

    assert!(frames().await.never_ending_head().await);
    bystander.goes_on("a head without an end").await;
    door.endured("a head without an end");

    assert!(frames().await.rapid_resets().await);
    bystander.goes_on("rapid resets").await;
    door.endured("rapid resets");

    join_all((0..4).map(|_| async { frames().await.inflating_heads(400).await })).await;
    bystander.goes_on("heads that inflate").await;
    door.endured("heads that inflate");
}
