//! Sends one request again and again over connections that stay open, as cheaply as possible: what a generator costs is
//! missing in what it measures, since everything runs on the same cores.
//!
//! A request may have one place that differs each time: the id of the event in it.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::metronome::Metronome;

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

    /// As fast as the answers come, over so many connections.
    pub async fn flat_out(&self, connections: u32, time: Duration) -> anyhow::Result<Outcome> {
        self.run(connections, time, None).await
    }

    /// So many a second. A request that has to wait for its turn has waited.
    pub async fn at_rate(&self, per_second: u32, time: Duration) -> anyhow::Result<Outcome> {
        self.at_rate_over(4, per_second, time).await
    }

    /// The same, over so many connections. The rate does not depend on the answers: one that is late delays what is due
    /// behind it, and that counts.
    pub async fn at_rate_over(
        &self,
        connections: u32,
        per_second: u32,
        time: Duration,
    ) -> anyhow::Result<Outcome> {
        let interval = Duration::from_secs(connections.into()) / per_second;
        self.run(connections, time, Some(interval)).await
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

    async fn run(
        &self,
        connections: u32,
        time: Duration,
        interval: Option<Duration>,
    ) -> anyhow::Result<Outcome> {
        let started = Instant::now();
        let mut running = JoinSet::new();
        for number in 0..connections {
            // One after the other, and not all at once and then nobody.
            let first = started + interval.map_or(Duration::ZERO, |interval| interval * number / connections);
            running.spawn(self.clone().connection(first, time, interval));
        }
        let mut latencies = Histogram::new(3)?;
        while let Some(finished) = running.join_next().await {
            latencies.add(finished??)?;
        }
        let requests = latencies.len();
        Ok(Outcome { per_second: requests as f64 / started.elapsed().as_secs_f64(), requests, latencies })
    }

    async fn connection(
        mut self,
        started: Instant,
        time: Duration,
        interval: Option<Duration>,
    ) -> anyhow::Result<Histogram<u64>> {
        let mut latencies = Histogram::new(3)?;
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut answer = Vec::new();
        let mut metronome = interval.map(|interval| Metronome::start(started, interval)).transpose()?;
        loop {
            let due = match &mut metronome {
                Some(metronome) => Some(metronome.next().await?),
                None => None,
            };
            if started.elapsed() >= time {
                break;
            }
            let begun = due.unwrap_or_else(Instant::now);
            if let Some(id) = self.id.clone() {
                Uuid::now_v7().hyphenated().encode_lower(&mut self.request[id]);
            }
            stream.write_all(&self.request).await?;
            read_answer(&mut stream, &mut answer, self.expected).await?;
            latencies.record(u64::try_from(begun.elapsed().as_micros())?.max(1))?;
        }
        Ok(latencies)
    }
}

/// Reads one answer, which must have this status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>, expected: u16) -> anyhow::Result<()> {
    answer.clear();
    let length = loop {
        ensure!(stream.read_buf(answer).await? > 0, "the connection was closed");
        if let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") {
            break head + 4 + content_length(&answer[..head], expected)?;
        }
    };
    while answer.len() < length {
        ensure!(stream.read_buf(answer).await? > 0, "the connection was closed");
    }
    Ok(())
}

fn content_length(head: &[u8], expected: u16) -> anyhow::Result<usize> {
    let head = std::str::from_utf8(head)?.to_ascii_lowercase();
    ensure!(head.starts_with(&format!("http/1.1 {expected} ")), "the answer is: {head}");
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(line.context("the answer has a length")?.trim().parse()?)
}
