//! What every request may use.

use chrono::{DateTime, Utc};
use millrace_storage::database::Database;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the events and their roll-ups are.
    pub database: Database,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}
