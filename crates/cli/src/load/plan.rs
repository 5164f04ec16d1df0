use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::client::{BaseUrl, Key};

/// What a load run does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server.
    pub url: BaseUrl,
    /// A key with the scope `ingest`.
    pub key: Key,
    /// When it ends.
    pub extent: Extent,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Events in a request.
    pub batch: usize,
    /// Events a second; as many as possible if none.
    pub rate: Option<f64>,
    /// Different users, who take turns.
    pub users: u32,
    /// The type of all events, which should be used by nothing else.
    pub event_type: String,
    /// Ends the run early.
    pub stop: CancellationToken,
}

/// How much is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// A number of events.
    Events(u64),
    /// What there is time for.
    Time(Duration),
}

impl Plan {
    /// 500 events a request over 8 connections, as fast as possible, with an event type that no
    /// other run has.
    #[must_use]
    pub fn new(url: BaseUrl, key: Key, extent: Extent) -> Self {
        Self {
            url,
            key,
            extent,
            connections: 8,
            batch: 500,
            rate: None,
            users: 10_000,
            event_type: format!("load_{:016x}", rand::random::<u64>()),
            stop: CancellationToken::new(),
        }
    }
}
