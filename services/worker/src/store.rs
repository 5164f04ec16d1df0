//! Storing events whatever is among them: all that can be stored is, and the rest is named.

use std::ops::Range;

use millrace_domain::ids::ProjectId;
use millrace_storage::append::{Appended, Appender, NewEvent, Refusal};
use millrace_storage::error::StorageError;

use crate::dead_letters::{UNKNOWN_PROJECT, UNUSABLE_PROJECT};

/// Why a set of events could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is away; the same events can be stored later. What was stored meanwhile stays.
    #[error("{0}")]
    Unavailable(String),
    /// Nothing of a project among them can be stored.
    #[error("{detail}")]
    Hopeless {
        /// The project.
        project: ProjectId,
        /// Why, as a dead letter says it.
        reason: &'static str,
        /// For people.
        detail: String,
    },
}

impl StoreError {
    fn of(error: StorageError) -> Self {
        let detail = error.to_string();
        match error {
            StorageError::UnknownProject(project) => {
                Self::Hopeless { project, reason: UNKNOWN_PROJECT, detail }
            }
            StorageError::UnusableProject(project, _) => {
                Self::Hopeless { project, reason: UNUSABLE_PROJECT, detail }
            }
            // Whatever else it is, it is not the events' fault: they stay in the log until it is mended.
            _ => Self::Unavailable(detail),
        }
    }
}

/// Stores `events`. Where the database refuses them and does not say which it means, they are halved until the event at
/// fault is alone: one costs the others about `2 · log2(n)` more appends and not their place.
///
/// # Errors
/// See [`StoreError`].
pub async fn store(appender: &mut Appender, events: &[NewEvent<'_>]) -> Result<Appended, StoreError> {
    let mut outcome = Appended::default();
    let mut waiting: Vec<Range<usize>> = Vec::new();
    waiting.push(0..events.len());
    while let Some(range) = waiting.pop() {
        let Some(part) = events.get(range.clone()) else { continue };
        match appender.append(part).await {
            Ok(mut appended) => {
                appended.refused.iter_mut().for_each(|refusal| refusal.place += range.start);
                outcome.add(appended);
            }
            Err(StorageError::Refused(words)) if part.len() == 1 => {
                outcome.refused.push(Refusal { place: range.start, words });
            }
            Err(StorageError::Refused(_)) => {
                let middle = range.start + part.len() / 2;
                waiting.extend([range.start..middle, middle..range.end]);
            }
            Err(error) => return Err(StoreError::of(error)),
        }
    }
    Ok(outcome)
}
