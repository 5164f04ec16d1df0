//! The time of events that came without one.

use chrono::{DateTime, Utc};
use millrace_cache::duplicates::DuplicateMemory;
use millrace_domain::draft::Draft;
use millrace_domain::event::Event;
use millrace_domain::ids::{EventId, ProjectId};

/// Gives every event its time for good. With Redis away, an event that carries a time neither itself nor in its id
/// gets the present; its retry would be another event, and that is all that is lost.
pub async fn settle(
    memory: &DuplicateMemory,
    project: ProjectId,
    drafts: Vec<Draft>,
    now: DateTime<Utc>,
) -> Vec<Event> {
    let timeless: Vec<EventId> =
        drafts.iter().filter(|d| d.occurred_at.is_none()).map(|d| d.event_id).collect();
    let sights = memory.first_sight(project, &timeless, now).await.unwrap_or_default();
    let mut sights = sights.into_iter();
    drafts
        .into_iter()
        .map(|draft| {
            let first_sight = if draft.occurred_at.is_none() { sights.next() } else { None };
            draft.settle(first_sight.unwrap_or(now))
        })
        .collect()
}
