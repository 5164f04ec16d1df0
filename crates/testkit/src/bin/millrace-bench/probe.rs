//! Sends one request again and again over connections that stay open, as cheaply as possible: what a generator costs is
//! missing in what it measures, since everything runs on the same cores.
//!
//! A request may have one place that differs each time: the id of the event in it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::generator::{self, Lane};

/// Stands in an event where its id goes.
pub const ID_TO_FILL_IN: &str = "00000000-0000-0000-0000-000000000000";

/// A request that is known in advance.
#[derive(Clone)]
pub struct Probe {
    address: SocketAddr,
    request: Vec<u8>,
    /// Where a UUID stands that no other request has.
    id: Option<Range<usize>>,
    expected: u16,
}

/// What came of it.
pub struct Outcome {
    pub per_second: f64,
    /// Requests that were answered as expected; all of them.
    pub requests: u64,
    latencies: Histogram<u64>,
}

impl Outcome {
    /// Of requests that took so long each, in microseconds, within so much time.
    pub fn new(latencies: Histogram<u64>, time: Duration) -> Self {
        let requests = latencies.len();
        Self { per_second: requests as f64 / time.as_secs_f64(), requests, latencies }
    }

    /// The latency that this share of the requests stayed within, in milliseconds.
    pub fn millis(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1_000.0
    }
}

impl Probe {
    /// `GET path`, with these header lines.
    pub fn get(address: SocketAddr, path: &str, headers: &str) -> Self {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n");
        Self { address, request: request.into_bytes(), id: None, expected: 200 }
    }

    /// `POST path` with an event, which has another id each time. The answer must be 202.
    pub fn post_event(address: SocketAddr, path: &str, headers: &str, event: &str) -> anyhow::Result<Self> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{event}",
            event.len()
        );
        let start = request.find(ID_TO_FILL_IN).context("the event has a place for its id")?;
        let id = Some(start..start + ID_TO_FILL_IN.len());
        Ok(Self { address, request: request.into_bytes(), id, expected: 202 })
    }

    /// Where it is sent.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is sent next.
    pub fn request(&mut self) -> &[u8] {
        if let Some(id) = self.id.clone() {
            Uuid::now_v7().hyphenated().encode_lower(&mut self.request[id]);
        }
        &self.request
    }

    /// The status that every answer must have.
    pub fn expected(&self) -> u16 {
        self.expected
    }

    /// As fast as the answers come, over so many connections.
    pub async fn flat_out(&self, connections: u32, time: Duration) -> anyhow::Result<Outcome> {
        let probe = self.clone();
        spawn_blocking(move || generator::flat_out(probe, connections, time)).await?
    }

    /// So many a second. A request that has to wait for its turn has waited.
    pub async fn at_rate(&self, per_second: u32, time: Duration) -> anyhow::Result<Outcome> {
        let lane = Lane { probe: self.clone(), connections: 4, per_second: Some(per_second) };
        let outcomes = spawn_blocking(move || generator::at_rates(vec![lane], time)).await??;
        outcomes.into_iter().next().context("a lane has an outcome")
    }

    /// Connections on which one request was answered, and nothing more is asked.
    pub async fn hold_open(&self, connections: usize) -> anyhow::Result<Vec<TcpStream>> {
        let (mut held, mut answer) = (Vec::with_capacity(connections), Vec::new());
        for _ in 0..connections {
            let mut stream = TcpStream::connect(self.address).await?;
            stream.write_all(&self.request).await?;
            read_answer(&mut stream, &mut answer, self.expected).await?;
            held.push(stream);
        }
        Ok(held)
    }
}

/// Reads one answer, which must have this status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>, expected: u16) -> anyhow::Result<()> {
    answer.clear();
    while length(answer, expected)?.is_none_or(|length| answer.len() < length) {
        ensure!(stream.read_buf(answer).await? > 0, "the connection was closed");
    }
    Ok(())
}

/// How long an answer is that begins like this, once its head is complete. It must have this status.
pub fn length(answer: &[u8], expected: u16) -> anyhow::Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?.to_ascii_lowercase();
    ensure!(text.starts_with(&format!("http/1.1 {expected} ")), "the answer is: {text}");
    let line = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let body: usize = line.context("the answer has a length")?.trim().parse()?;
    Ok(Some(head + 4 + body))
}
