//! Which dead letters are meant.

use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use serde::{Deserialize, Serialize};

use super::letter::Letter;

/// Dead letters to look for; all of what is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The project whose events they are.
    pub project: Option<ProjectId>,
    /// Why they are dead.
    pub reason: Option<String>,
    /// What happened.
    pub event_type: Option<String>,
    /// Put away not before.
    pub from: Option<DateTime<Utc>>,
    /// Put away before.
    pub to: Option<DateTime<Utc>>,
}

impl Filter {
    /// Whether it means everything there is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it means this one.
    #[must_use]
    pub fn matches(&self, letter: &Letter) -> bool {
        let of_type = |wanted: &String| letter.events.iter().any(|event| event.event_type == *wanted);
        self.project.is_none_or(|project| project == letter.project)
            && self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.event_type.as_ref().is_none_or(of_type)
            && self.from.is_none_or(|from| letter.put_away_at >= from)
            && self.to.is_none_or(|to| letter.put_away_at < to)
    }
}
