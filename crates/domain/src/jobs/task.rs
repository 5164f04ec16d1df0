//! What a job is told to do.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod export;
mod import;

pub use export::{Compression, Export, ExportFormat};
pub use import::Import;

use crate::jobs::Kind;
use crate::text::UserId;

/// A job's kind with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// See [`Kind::Import`].
    Import(Import),
    /// See [`Kind::Export`].
    Export(Export),
    /// See [`Kind::Replay`].
    Replay(Replay),
    /// See [`Kind::DeleteUser`].
    DeleteUser(DeleteUser),
    /// See [`Kind::Rebuild`].
    Rebuild,
    /// Maintenance of one of its kinds, which is told nothing.
    Maintenance(Kind),
}

/// Why parameters cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskFault {
    /// Not the fields that this kind of job has.
    #[error("{0}")]
    Shape(String),
    /// A field breaks a law.
    #[error("{0} {1}")]
    Field(&'static str, String),
}

/// Which dead letters to replay: all of what is not said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Those with this reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Those with an event of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type: Option<String>,
    /// Those not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    /// Those before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DateTime<Utc>>,
}

/// Whom to delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteUser {
    /// The user, as events name them.
    pub user_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Task {
    /// What a job of this kind is told by these parameters.
    ///
    /// # Errors
    /// Says which parameter cannot be used, and why.
    pub fn parse(kind: Kind, parameters: Value) -> Result<Self, TaskFault> {
        let parameters = if parameters.is_null() { json!({}) } else { parameters };
        Ok(match kind {
            Kind::Import => Self::Import(read::<Import>(parameters)?.checked()?),
            Kind::Export => Self::Export(read::<Export>(parameters)?.checked()?),
            Kind::Replay => Self::Replay(read::<Replay>(parameters)?.checked()?),
            Kind::DeleteUser => Self::DeleteUser(read::<DeleteUser>(parameters)?.checked()?),
            Kind::Rebuild => read(parameters).map(|Nothing {}| Self::Rebuild)?,
            Kind::Retention | Kind::Compaction | Kind::Compression | Kind::Statistics | Kind::Cleanup => {
                read(parameters).map(|Nothing {}| Self::Maintenance(kind))?
            }
        })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Import(_) => Kind::Import,
            Self::Export(_) => Kind::Export,
            Self::Replay(_) => Kind::Replay,
            Self::DeleteUser(_) => Kind::DeleteUser,
            Self::Rebuild => Kind::Rebuild,
            Self::Maintenance(kind) => *kind,
        }
    }

    /// Its parameters, as they are read again by [`Task::parse`].
    #[must_use]
    pub fn parameters(&self) -> Value {
        let written = match self {
            Self::Import(import) => serde_json::to_value(import),
            Self::Export(export) => serde_json::to_value(export),
            Self::Replay(replay) => serde_json::to_value(replay),
            Self::DeleteUser(user) => serde_json::to_value(user),
            Self::Rebuild | Self::Maintenance(_) => Ok(json!({})),
        };
        // Texts, times and lists of them: there is nothing in it that JSON could not hold.
        written.unwrap_or_default()
    }
}

fn read<T: DeserializeOwned>(parameters: Value) -> Result<T, TaskFault> {
    serde_json::from_value(parameters).map_err(|error| TaskFault::Shape(error.to_string()))
}

impl Replay {
    fn checked(self) -> Result<Self, TaskFault> {
        in_order(self.from, self.to)?;
        Ok(self)
    }
}

/// That a time ends after it begins.
fn in_order(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Result<(), TaskFault> {
    match (from, to) {
        (Some(from), Some(to)) if from >= to => {
            Err(TaskFault::Field("to", "must be after `from`".to_owned()))
        }
        _ => Ok(()),
    }
}

impl DeleteUser {
    fn checked(self) -> Result<Self, TaskFault> {
        UserId::parse(&self.user_id).map_err(|fault| TaskFault::Field("user_id", fault.to_string()))?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_as_they_are_written() {
        for (kind, parameters) in [
            (Kind::Export, json!({"format": "csv", "compression": "gzip", "user_id": "ada"})),
            (
                Kind::Export,
                json!({"format": "parquet", "from": "2026-11-01T00:00:00Z", "event_types": ["login"]}),
            ),
            (Kind::Import, json!({"file": "events.csv.gz", "map": {"ts": "occurred_at"}})),
            (Kind::Replay, json!({"reason": "refused", "event_type": "login"})),
            (Kind::DeleteUser, json!({"user_id": "ada"})),
            (Kind::Rebuild, Value::Null),
            (Kind::Statistics, json!({})),
        ] {
            let task = Task::parse(kind, parameters).unwrap();
            assert_eq!(task.kind(), kind);
            assert_eq!(Task::parse(kind, task.parameters()), Ok(task));
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let fault = |kind, parameters| Task::parse(kind, parameters).unwrap_err().to_string();
        let times = json!({"format": "csv", "from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"});
        assert!(fault(Kind::Export, times).contains("to "));
        let times = json!({"from": "2026-11-02T00:00:00Z", "to": "2026-11-02T00:00:00Z"});
        assert!(fault(Kind::Replay, times).contains("to "));
        assert!(fault(Kind::Export, json!({})).contains("format"));
        assert!(
            fault(Kind::Export, json!({"format": "parquet", "compression": "gzip"})).contains("compression")
        );
        assert!(fault(Kind::DeleteUser, json!({"user_id": ""})).contains("user_id"));
        assert!(fault(Kind::Rebuild, json!({"days": 3})).contains("days"));
        for name in ["", "../a", "a/../../b", "/etc/passwd", "a//b", "."] {
            assert!(fault(Kind::Import, json!({"file": name})).contains("file"), "{name:?}");
        }
    }
}
