//! How an answer was come by.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::reader::Account;

/// An answer with its explanation.
#[derive(Debug, Serialize)]
pub struct Explained<'a, A> {
    #[serde(flatten)]
    answer: &'a A,
    explain: Explanation,
}

/// Which store answered, and how long each part took.
#[derive(Debug, Serialize, ToSchema)]
pub struct Explanation {
    /// `rollup`, or `raw` if the events themselves were needed.
    pub source: &'static str,
    /// Milliseconds in which the question waited for its turn and a connection.
    pub waited_ms: f64,
    /// Milliseconds in which it was worked on.
    pub worked_ms: f64,
    /// What was read, in order. What was computed of a read before the next one began belongs to it.
    pub parts: Vec<ExplainedPart>,
}

/// A read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplainedPart {
    /// What was read.
    pub what: &'static str,
    /// From where: `rollup` or `raw`.
    pub store: &'static str,
    /// Milliseconds that it took.
    pub ms: f64,
}

impl<'a, A> Explained<'a, A> {
    /// Puts both together.
    #[must_use]
    pub fn new(answer: &'a A, account: Account, waited: Duration, worked: Duration) -> Self {
        let parts = account.parts.into_iter().map(|part| ExplainedPart {
            what: part.what,
            store: part.store.as_str(),
            ms: millis(part.took),
        });
        let explain = Explanation {
            source: account.source.as_str(),
            waited_ms: millis(waited),
            worked_ms: millis(worked),
            parts: parts.collect(),
        };
        Self { answer, explain }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
