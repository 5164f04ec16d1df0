//! Work that takes longer than a request: what kinds there are, who may start which, and what they are told.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::Role;
use crate::notification::{About, Notification, NotificationKind};

pub mod task;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident, $name:literal, $started_by:expr;)*) => {
        /// A kind of work.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name used in JSON, in the database and in subjects.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The least of the roles that may start it; `None`: it is maintenance, for the system and its admins.
            #[must_use]
            pub fn started_by(self) -> Option<Role> {
                match self { $(Self::$variant => $started_by,)* }
            }
        }
    };
}

kinds! {
    /// A file of events comes in.
    Import, "import", Some(Role::Editor);
    /// Events are written to files.
    Export, "export", Some(Role::Editor);
    /// Dead letters go to the log again.
    Replay, "replay", Some(Role::Admin);
    /// Everything that is stored about a user goes.
    DeleteUser, "delete_user", Some(Role::Admin);
    /// The roll-ups are made from the events anew.
    Rebuild, "rebuild", Some(Role::Admin);
    /// Events that are older than their project keeps them go.
    Retention, "retention", None;
    /// The parts of activity sets are merged.
    Compaction, "compaction", None;
    /// Old chunks of events are compressed.
    Compression, "compression", None;
    /// The database learns how its data are distributed.
    Statistics, "statistics", None;
    /// Files of jobs that ended long ago go.
    Cleanup, "cleanup", None;
}

impl Kind {
    /// Whether it writes roll-ups that another of these would write, too: of those one at a time works on a project.
    #[must_use]
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::DeleteUser | Self::Rebuild)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no kind of job `{0}`")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        let known = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for a worker, for the first time or after a failure.
    Pending,
    /// A worker is at it.
    Running,
    /// It is done.
    Succeeded,
    /// It was given up. What it had done by then is done.
    Failed,
    /// Somebody stopped it. What it had done by then is done.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will come of it by itself.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A status that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use `pending`, `running`, `succeeded`, `failed` or `cancelled`")]
pub struct UnknownStatus;

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// How far a job is, in units of its own: rows of an export, bytes of an import, days of a rebuild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done.
    pub done: u64,
    /// All that is to be done, once it is known.
    pub total: Option<u64>,
}

/// What a job tells of itself, to whoever looks on.
#[derive(Clone, Debug, PartialEq)]
pub struct JobNews {
    /// Which job.
    pub id: crate::ids::JobId,
    /// What it does.
    pub kind: Kind,
    /// How far it is.
    pub status: Status,
    /// How far it is, in numbers.
    pub progress: Progress,
    /// Why it failed.
    pub error: Option<String>,
}

impl JobNews {
    /// As those who look at the project are told.
    #[must_use]
    pub fn notification(&self, happened: NotificationKind, at: DateTime<Utc>) -> Notification {
        let about = About { job_id: Some(self.id.0), ..About::default() };
        let progress = json!({"done": self.progress.done, "total": self.progress.total});
        let told = Notification::new(happened, about, at)
            .with("kind", self.kind.as_str())
            .with("status", self.status.as_str())
            .with("progress", progress);
        match &self.error {
            Some(error) => told.with("error", error.as_str()),
            None => told,
        }
    }
}

/// What a job found out, for people: a JSON object.
pub type Report = Value;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        for status in Status::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("archive".parse::<Kind>().is_err() && "done".parse::<Status>().is_err());
    }
}
