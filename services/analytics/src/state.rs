//! What every request may use.

use chrono::{DateTime, Utc};
use millrace_storage::database::Database;

use crate::kept::KeptAnswers;
use crate::postings::Postings;
use crate::reader::Limits;
use crate::turns::Turns;

/// Shared by all workers of the server.
#[derive(Clone, Debug)]
pub struct State {
    /// Where the events and their roll-ups are.
    pub database: Database,
    /// Answers that were given a moment ago.
    pub answers: KeptAnswers,
    /// What a question may cost.
    pub limits: Limits,
    /// Postings in memory.
    pub postings: Postings,
    /// Who is being answered.
    pub turns: Turns,
    /// What time it is.
    pub clock: fn() -> DateTime<Utc>,
}
