use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use super::report::Report;
use crate::client::{Client, ClientError};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long to look on after everything has arrived, in case more does.
const SETTLING: Duration = Duration::from_secs(1);
/// Event types asked for. In the minutes of a run few types are more frequent than the run's.
const LIMIT: u32 = 100;

/// Whether what was accepted can be queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Everything is there, once.
    Complete {
        /// Events counted.
        counted: u64,
        /// How long after the end of the run that was, at most.
        after: Duration,
    },
    /// Less is there than was accepted, and the time is up.
    Missing {
        /// Events counted.
        counted: u64,
    },
    /// More is there than was sent and might have been accepted: something counts twice.
    Excess {
        /// Events counted.
        counted: u64,
    },
}

impl Arrival {
    /// Whether nothing is missing and nothing too much.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete { .. })
    }
}

/// Counts the events of a run over the query API until they are as many as were accepted, or for
/// `timeout`. Events in doubt may have arrived.
///
/// # Errors
/// When the key is not accepted, or the last question within the time was not answered.
pub async fn watch_arrival(
    client: &Client,
    report: &Report,
    timeout: Duration,
) -> Result<Arrival, ClientError> {
    let ended = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let answer = count(client, report).await;
        let after = ended.elapsed();
        match answer {
            Ok(counted) if counted >= report.accepted => {
                tokio::time::sleep(SETTLING).await;
                let counted = count(client, report).await?;
                let most = report.accepted + report.in_doubt;
                return Ok(if counted > most {
                    Arrival::Excess { counted }
                } else {
                    Arrival::Complete { counted, after }
                });
            }
            Ok(counted) if after >= timeout => return Ok(Arrival::Missing { counted }),
            Err(error) if after >= timeout || is_final(&error) => return Err(error),
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Status { status, .. } => !status.is_server_error() && status.as_u16() != 429,
        ClientError::Transport(_) => false,
        ClientError::Setup(_) | ClientError::Body(_) => true,
    }
}

/// Asks for instants, not days: each question ends at another one, so no cache can answer it.
async fn count(client: &Client, report: &Report) -> Result<u64, ClientError> {
    let margin = TimeDelta::seconds(1);
    let answer = client.top_events(report.started - margin, Utc::now() + margin, LIMIT).await?;
    let found = answer.data.iter().find(|entry| entry.event_type == report.event_type);
    Ok(found.map_or(0, |entry| entry.count))
}
