//! What something was done to.

use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, JobId, KeyId, ProjectId, SessionId, ShareId};
use crate::text::ShortText;

/// What it was done to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Target {
    /// A person's account; the member, where it is about members.
    Account(AccountId),
    /// A project.
    Project(ProjectId),
    /// An API key.
    ApiKey(KeyId),
    /// A sign-in.
    Session(SessionId),
    /// Work that takes longer than a request.
    Job(JobId),
    /// A link to a dashboard.
    Share(ShareId),
    /// A key that signs access tokens, by its name.
    SigningKey(ShortText),
}

impl Target {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Project(_) => "project",
            Self::ApiKey(_) => "api_key",
            Self::Session(_) => "session",
            Self::Job(_) => "job",
            Self::Share(_) => "share",
            Self::SigningKey(_) => "signing_key",
        }
    }

    /// Its id as text.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Account(id) => id.to_string(),
            Self::Project(id) => id.to_string(),
            Self::ApiKey(id) => id.to_string(),
            Self::Session(id) => id.to_string(),
            Self::Job(id) => id.to_string(),
            Self::Share(id) => id.to_string(),
            Self::SigningKey(name) => name.to_string(),
        }
    }
}
