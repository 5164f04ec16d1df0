//! Storing events whatever is among them: all that can be stored is, and the rest is named.

use std::ops::Range;

use millrace_domain::ids::ProjectId;
use millrace_storage::append::{Appended, Appender, NewEvent};
use millrace_storage::error::StorageError;

/// What became of a set of events.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was stored.
    pub appended: Appended,
    /// The places of the events that the database does not take, and its words.
    pub refused: Vec<(usize, String)>,
}

/// Why a set of events could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away; the same events can be stored later. What was stored meanwhile stays.
    #[error("{0}")]
    Unavailable(String),
    /// A project among them does not exist.
    #[error("project {0} does not exist")]
    UnknownProject(ProjectId),
}

/// Stores `events`. What the database refuses is halved until the event at fault is alone, so that one of them costs
/// the others about `2 · log2(n)` more statements and not their place.
///
/// # Errors
/// See [`StoreError`].
pub async fn store(appender: &mut Appender, events: &[NewEvent<'_>]) -> Result<Outcome, StoreError> {
    let mut outcome = Outcome::default();
    let mut waiting: Vec<Range<usize>> = Vec::new();
    waiting.push(0..events.len());
    while let Some(range) = waiting.pop() {
        let Some(part) = events.get(range.clone()) else { continue };
        match appender.append(part).await {
            Ok(appended) => outcome.appended.add(appended),
            Err(StorageError::UnknownProject(project)) => return Err(StoreError::UnknownProject(project)),
            Err(StorageError::Refused(words)) if part.len() == 1 => {
                outcome.refused.push((range.start, words))
            }
            Err(StorageError::Refused(_)) => {
                let middle = range.start + part.len() / 2;
                waiting.extend([range.start..middle, middle..range.end]);
            }
            // Whatever else it is, it is not the events' fault: they stay in the log until it is mended.
            Err(error) => return Err(StoreError::Unavailable(error.to_string())),
        }
    }
    Ok(outcome)
}
