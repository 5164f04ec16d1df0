//! How the memory that questions may use is shared out.

/// Bytes for each use of `MILLRACE_QUERY_MEMORY`. What is left, an eighth, is for the process itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Answers that were given a moment ago: they are small, and many are alike.
    pub answers: u64,
    /// Sets of active users: a project has few.
    pub sets: u64,
    /// Who did what when.
    pub postings: u64,
    /// Questions that are being worked on.
    pub work: u64,
}

impl Shares {
    /// The shares of so many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let sixteenths = |count: u64| bytes / 16 * count;
        Self { answers: sixteenths(1), sets: sixteenths(2), postings: sixteenths(6), work: sixteenths(5) }
    }
}
