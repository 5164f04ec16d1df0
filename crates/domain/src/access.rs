//! What an API key grants.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{KeyId, ProjectId};

/// What the holder of an API key may do in the key's project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Send events.
    Ingest,
    /// Ask questions.
    Read,
}

impl Scope {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("unknown scope `{0}`: use `ingest` or `read`")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ingest" => Ok(Self::Ingest),
            "read" => Ok(Self::Read),
            other => Err(UnknownScope(other.to_owned())),
        }
    }
}

/// A live API key: the project it opens and what for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGrant {
    /// The key's public id.
    pub key_id: KeyId,
    /// The only project the key opens.
    pub project_id: ProjectId,
    /// What it may do there.
    pub scopes: Vec<Scope>,
    /// When it stops working; `None` means when it is revoked.
    pub expires_at: Option<DateTime<Utc>>,
}

impl KeyGrant {
    /// Whether the key may still be used at `now`.
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }

    /// Whether the key carries `scope`.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// What a member may do in a project. Each role may do what the next one may, and more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees answers.
    Viewer,
    /// Also keeps questions and dashboards.
    Editor,
    /// Also manages members and keys.
    Admin,
    /// Also manages the project itself.
    Owner,
}

impl Role {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// A role that does not exist.
#[derive(Debug, thiserror::Error)]
#[error("unknown role `{0}`: use `owner`, `admin`, `editor` or `viewer`")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Viewer, Self::Editor, Self::Admin, Self::Owner]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| UnknownRole(text.to_owned()))
    }
}
