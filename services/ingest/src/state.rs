//! What every request may use.

use std::time::Duration;

use millrace_cache::duplicates::DuplicateMemory;
use millrace_messaging::broker::Broker;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// The log.
    pub broker: Broker,
    /// The fast memory for repetitions.
    pub memory: DuplicateMemory,
    /// How long `?wait=stored` waits.
    pub stored_timeout: Duration,
}
