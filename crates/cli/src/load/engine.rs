use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use hdrhistogram::{CreationError, Histogram};
use reqwest::StatusCode;
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::body::BodyMaker;
use super::plan::{Extent, Plan};
use super::report::Report;
use crate::api::{Problem, Verdict};
use crate::client::{Answer, Client, ClientError};

/// Three digits of latencies from a microsecond to ten minutes: some 150 KiB for a connection.
const LONGEST_LATENCY: Duration = Duration::from_secs(600);
/// How long a connection rests after a failure, so that an overloaded server is not measured by how
/// fast it can refuse, at most.
const LONGEST_REST: Duration = Duration::from_secs(1);
const SHORTEST_REST: Duration = Duration::from_millis(20);

/// A load run that could not be carried out.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The client could not be set up.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The server does not take events with this key.
    #[error("the server does not accept the key ({status}): {reason}")]
    Key {
        /// 401 or 403.
        status: u16,
        /// The reason it gave.
        reason: String,
    },
    /// Latencies cannot be recorded.
    #[error("cannot record latencies")]
    Histogram(#[from] CreationError),
    /// A connection's task broke down.
    #[error("a connection broke down")]
    Connection(#[from] JoinError),
}

/// The requests of a run, handed out one by one to whichever connection is free.
struct Schedule {
    next: AtomicU64,
    started: Instant,
    batch: u64,
    extent: Extent,
    /// The time from one request to the next, if there is a rate.
    interval: Option<f64>,
}

struct Ticket {
    first: u64,
    count: u64,
    due: Option<Instant>,
}

impl Schedule {
    fn next(&self) -> Option<Ticket> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let first = number * self.batch;
        #[expect(clippy::cast_precision_loss, reason = "no run has 2^53 requests")]
        let due = self.interval.map(|interval| Duration::from_secs_f64(interval * number as f64));
        let (count, over) = match self.extent {
            Extent::Events(events) => (self.batch.min(events.saturating_sub(first)), first >= events),
            Extent::Time(time) => (self.batch, due.unwrap_or_else(|| self.started.elapsed()) >= time),
        };
        (!over).then(|| Ticket { first, count, due: due.map(|due| self.started + due) })
    }
}

/// Carries out a plan. Requests that fail are counted and not repeated.
///
/// # Errors
/// When the server does not accept the key, or the run cannot be set up.
pub async fn run(plan: Plan) -> Result<Report, LoadError> {
    let client = Client::new(&plan.url, plan.key)?;
    let maker = BodyMaker::new(&plan.event_type, plan.users);
    let highest = u64::try_from(LONGEST_LATENCY.as_micros()).unwrap_or(u64::MAX);
    let mut report = Report::new(plan.event_type, Histogram::new_with_bounds(1, highest, 3)?);
    let batch = u64::try_from(plan.batch.max(1)).unwrap_or(1);
    #[expect(clippy::cast_precision_loss, reason = "a batch has at most some thousand events")]
    let interval = plan.rate.map(|rate| batch as f64 / rate);
    let started = Instant::now();
    let schedule =
        Arc::new(Schedule { next: AtomicU64::new(0), started, batch, extent: plan.extent, interval });

    let mut connections = JoinSet::new();
    for _ in 0..plan.connections.max(1) {
        let connection = Connection {
            client: client.clone(),
            maker: maker.clone(),
            schedule: Arc::clone(&schedule),
            report: report.clone(),
        };
        connections.spawn(connection.run(plan.stop.clone()));
    }
    while let Some(finished) = connections.join_next().await {
        report.merge(finished??);
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

/// Makes one request after the other.
struct Connection {
    client: Client,
    maker: BodyMaker,
    schedule: Arc<Schedule>,
    report: Report,
}

impl Connection {
    async fn run(mut self, stop: CancellationToken) -> Result<Report, LoadError> {
        while let Some(ticket) = self.schedule.next() {
            if let Some(due) = ticket.due {
                stop.run_until_cancelled(tokio::time::sleep_until(due.into())).await;
            }
            if stop.is_cancelled() {
                break;
            }
            if let Some(rest) = self.request(&ticket).await? {
                stop.run_until_cancelled(tokio::time::sleep(rest)).await;
            }
        }
        Ok(self.report)
    }

    /// Makes a request and counts its answer. Inside is how long to rest if it failed.
    async fn request(&mut self, ticket: &Ticket) -> Result<Option<Duration>, LoadError> {
        let body = self.maker.make(ticket.first, ticket.count, Utc::now());
        let begun = ticket.due.unwrap_or_else(Instant::now);
        let Answer { status, retry_after, body } = match self.client.post_events(body, None).await {
            Ok(answer) => answer,
            Err(error) => {
                self.report.unanswered(kind(&error), ticket.count);
                return Ok(Some(SHORTEST_REST));
            }
        };
        let verdict: Option<Verdict> = serde_json::from_slice(&body).ok();
        self.report.answered(status.as_u16(), ticket.count, verdict.as_ref(), begun.elapsed());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(LoadError::Key { status: status.as_u16(), reason: Problem::reason(&body) })
            }
            _ if status.is_success() => Ok(None),
            _ => Ok(Some(retry_after.unwrap_or_default().clamp(SHORTEST_REST, LONGEST_REST))),
        }
    }
}

/// Few kinds, so that they can be counted.
fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection lost"
    }
}
