//! Clients of a WebSocket that do as little as a client can: what they cost is missing in what is measured, since
//! everything runs on the same cores.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many ask to be let in at the same time.
const AT_ONCE: usize = 50;
/// An answer to a ping: masked, as a client must, with a mask of zeros.
const PONG: &[u8] = &[0x8A, 0x80, 0, 0, 0, 0];
/// What a probe's user is called before its number.
const MARK: &[u8] = b"\"user_id\":\"probe-";

/// Clients that watch a project's events.
pub struct Watchers {
    seen: Arc<Seen>,
    running: JoinSet<anyhow::Result<()>>,
}

/// What all of them have seen.
struct Seen {
    /// When each probe was sent.
    sent: Mutex<Vec<Instant>>,
    latencies: Mutex<Histogram<u64>>,
}

impl Watchers {
    /// Connects so many, and returns when all are let in.
    pub async fn connect(gateway: SocketAddr, key: &str, count: usize) -> anyhow::Result<Self> {
        let seen = Arc::new(Seen { sent: Mutex::default(), latencies: Mutex::new(Histogram::new(3)?) });
        let request = format!(
            "GET /api/v1/live HTTP/1.1\r\nHost: {gateway}\r\nX-Api-Key: {key}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut running = JoinSet::new();
        for first in (0..count).step_by(AT_ONCE) {
            let mut asking = JoinSet::new();
            for _ in first..count.min(first + AT_ONCE) {
                asking.spawn(open(gateway, request.clone()));
            }
            while let Some(opened) = asking.join_next().await {
                let (stream, buffer) = opened??;
                running.spawn(watch(stream, buffer, Arc::clone(&seen)));
            }
        }
        Ok(Self { seen, running })
    }

    /// Notes that a probe is being sent, and returns its number: the user of its events is `probe-<number>`.
    fn sends(&self) -> usize {
        let mut sent = self.seen.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push(Instant::now());
        sent.len() - 1
    }

    /// How often events of probes were seen since this was asked last, and how long after they were sent.
    pub fn latencies(&self) -> Histogram<u64> {
        let mut latencies = self.seen.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let since = latencies.clone();
        latencies.reset();
        since
    }

    /// How many are still there.
    pub fn connected(&mut self) -> usize {
        while self.running.try_join_next().is_some() {}
        self.running.len()
    }
}

/// A socket, and what has come behind its head.
async fn open(gateway: SocketAddr, request: String) -> anyhow::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(gateway).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    let end = loop {
        ensure!(stream.read_buf(&mut head).await? > 0, "the connection was closed");
        if let Some(end) = head.windows(4).position(|end| end == b"\r\n\r\n") {
            break end + 4;
        }
    };
    ensure!(head.starts_with(b"HTTP/1.1 101 "), "not let in: {}", String::from_utf8_lossy(&head));
    Ok((stream, head.split_off(end)))
}

/// Reads frames until there are no more.
async fn watch(mut stream: TcpStream, mut buffer: Vec<u8>, seen: Arc<Seen>) -> anyhow::Result<()> {
    loop {
        while let Some((opcode, payload, end)) = frame(&buffer)? {
            match opcode {
                0x1 => note(&buffer[payload..end], &seen),
                0x9 => stream.write_all(PONG).await?,
                0x8 => return Ok(()),
                _ => {}
            }
            buffer.drain(..end);
        }
        if buffer.is_empty() {
            buffer.shrink_to(4096);
        }
        ensure!(stream.read_buf(&mut buffer).await? > 0, "the connection was closed");
    }
}

/// The first frame's kind, and where its payload begins and ends; `None` before all of it has come.
fn frame(bytes: &[u8]) -> anyhow::Result<Option<(u8, usize, usize)>> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (begins, length) = match second {
        126 => match rest.first_chunk() {
            Some(length) => (4, usize::from(u16::from_be_bytes(*length))),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(length) => (10, usize::try_from(u64::from_be_bytes(*length))?),
            None => return Ok(None),
        },
        short => (2, usize::from(*short)),
    };
    let ends = begins + length;
    Ok((bytes.len() >= ends).then_some((first & 0x0F, begins, ends)))
}

fn note(text: &[u8], seen: &Seen) {
    let mut rest = text;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        rest = &rest[at + MARK.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse::<usize>().ok());
        let sent = seen.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sent) = number.and_then(|number| sent.get(number)).copied() else { continue };
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut latencies = seen.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = latencies.record(micros.max(1));
    }
}

/// What is sent to see how soon it is seen.
#[derive(Clone, Copy)]
pub struct Probes {
    /// How many requests.
    pub count: usize,
    /// How often.
    pub every: Duration,
    /// How many events are in each.
    pub events: usize,
}

/// Sends probes.
pub async fn probe(watchers: &Watchers, url: &str, key: &str, probes: Probes) -> anyhow::Result<()> {
    let client = reqwest::Client::new();
    let mut ticks = tokio::time::interval(probes.every);
    for _ in 0..probes.count {
        ticks.tick().await;
        let number = watchers.sends();
        let event = serde_json::json!({"event_type": "probe", "user_id": format!("probe-{number}")});
        let events = vec![event; probes.events];
        let sent =
            client.post(format!("{url}/api/v1/events")).header("x-api-key", key).json(&events).send().await;
        sent?.error_for_status().context("a probe is accepted")?;
    }
    Ok(())
}
