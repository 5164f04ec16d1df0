//! Who did what, to what, from where, and how it ended.
//!
//! A security event holds no secret: no password, no token, no key, and no e-mail address either, because people type
//! passwords into the field beside it. Accounts, projects, keys and sessions are named by their ids.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::access::{Role, Scope};
use crate::analytics::time_zone::TimeZone;
use crate::ids::{AccountId, DashboardId, JobId, KeyId, ProjectId, SecurityEventId, SessionId, ShareId};
use crate::text::ShortText;

pub mod action;

use action::Action;

/// Something that happened and is to be recorded, once however often it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityEvent {
    /// What makes two tellings the same event.
    pub id: SecurityEventId,
    /// When, to the microsecond.
    pub occurred_at: DateTime<Utc>,
    /// What.
    pub action: Action,
    /// Who did it.
    pub actor: Actor,
    /// What it was done to.
    pub target: Option<Target>,
    /// The project that it belongs to.
    pub project_id: Option<ProjectId>,
    /// Where the request came from.
    #[serde(flatten)]
    pub origin: Origin,
    /// What else there is to say.
    #[serde(default)]
    pub details: Details,
}

/// Who did it, as far as it was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who is signed in, or has just proved that they may.
    Account(AccountId),
    /// Whoever runs `millrace admin`.
    Operator,
    /// Somebody who has proved nothing.
    Anonymous,
}

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

/// Where a request came from. Nothing of it is proved but the address, and that as far as proxies are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address of the client.
    pub address: Option<IpAddr>,
    /// What the client called itself.
    pub user_agent: Option<ShortText>,
    /// The id of the request, which leads to it in the logs.
    pub request_id: Option<ShortText>,
}

/// What else there is to say. Each field belongs to a few actions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The role that a member has from then on, or that somebody had who was denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The role that a member had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_role: Option<Role>,
    /// The role that it would have taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed_role: Option<Role>,
    /// What was denied: method and route, such as `DELETE /api/v1/projects/{id}/keys/{key_id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<ShortText>,
    /// Whose session it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// How many sessions ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// How many dead letters were replayed or deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// The event type whose schema it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<ShortText>,
    /// What a key may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// The dashboard that a link opens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dashboard_id: Option<DashboardId>,
    /// When a key or a link stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The key that replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<KeyId>,
    /// The zone that a project has from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<TimeZone>,
    /// How many days a project keeps its events from then on; 0: for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Whether a project's counts outlive the events from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeps_roll_ups: Option<bool>,
    /// Whether an account has the system role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<bool>,
    /// How many events a project may send from then on, or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_limit: Option<ShortText>,
    /// How many questions may be asked of a project from then on, or `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_limit: Option<ShortText>,
    /// The origins whose pages may send events of a project from then on: the first 200 characters of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_origins: Option<ShortText>,
    /// Whether the keys that signed before are not believed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compromised: Option<bool>,
}

impl SecurityEvent {
    /// `actor` did it at `now`.
    #[must_use]
    pub fn new(action: Action, actor: Actor, origin: Origin, now: DateTime<Utc>) -> Self {
        Self {
            id: SecurityEventId::new(),
            // What the database keeps: the hash of what is stored is that of what was told.
            occurred_at: now.trunc_subsecs(6),
            action,
            actor,
            target: None,
            project_id: None,
            origin,
            details: Details::default(),
        }
    }

    /// What it was done to.
    #[must_use]
    pub fn on(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// The project that it belongs to.
    #[must_use]
    pub fn within(self, project: ProjectId) -> Self {
        Self { project_id: Some(project), ..self }
    }

    /// What else there is to say.
    #[must_use]
    pub fn with(self, details: Details) -> Self {
        Self { details, ..self }
    }
}

impl Actor {
    /// The name used in JSON and in the database.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Account(_) => "account",
            Self::Operator => "operator",
            Self::Anonymous => "anonymous",
        }
    }

    /// The account, if it is one.
    #[must_use]
    pub fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(id),
            Self::Operator | Self::Anonymous => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let (key, project, account) = (KeyId::new(), ProjectId::new(), AccountId::new());
        let origin = Origin {
            address: Some("2001:db8::7".parse().unwrap()),
            user_agent: Some(ShortText::cut("curl/8").unwrap()),
            request_id: None,
        };
        let now = "2026-11-20T12:00:00.123456789Z".parse().unwrap();
        let details = Details { scopes: Some(vec![Scope::Read]), ..Details::default() };
        let event = SecurityEvent::new(Action::ApiKeyCreated, Actor::Account(account), origin, now)
            .on(Target::ApiKey(key))
            .within(project)
            .with(details);
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(
            written,
            json!({
                "id": event.id, "occurred_at": "2026-11-20T12:00:00.123456Z", "action": "api_key.created",
                "actor": {"kind": "account", "id": account}, "target": {"kind": "api_key", "id": key},
                "project_id": project, "address": "2001:db8::7", "user_agent": "curl/8", "request_id": null,
                "details": {"scopes": ["read"]},
            })
        );
        assert_eq!(serde_json::from_value::<SecurityEvent>(written).unwrap(), event);
    }

    #[test]
    fn what_is_not_there_need_not_be_written() {
        let least = json!({
            "id": SecurityEventId::new(), "occurred_at": "2026-11-20T12:00:00Z", "action": "login.failed",
            "actor": {"kind": "anonymous"},
        });
        let event: SecurityEvent = serde_json::from_value(least).unwrap();
        assert_eq!((event.actor, event.target, event.origin), (Actor::Anonymous, None, Origin::default()));
    }

    #[test]
    fn what_the_database_could_not_keep_is_refused() {
        let with = |field: &str, value: serde_json::Value| {
            let mut event = json!({
                "id": SecurityEventId::new(), "occurred_at": "2026-11-20T12:00:00Z", "action": "login.failed",
                "actor": {"kind": "anonymous"},
            });
            event[field] = value;
            serde_json::from_value::<SecurityEvent>(event)
        };
        assert!(with("user_agent", json!("curl")).is_ok());
        for (field, value) in [
            ("user_agent", json!("a\0b")),
            ("user_agent", json!("x".repeat(201))),
            ("action", json!("login.invented")),
            ("actor", json!({"kind": "account"})),
            ("target", json!({"kind": "moon", "id": "1"})),
            ("address", json!("here")),
        ] {
            assert!(with(field, value).is_err(), "{field}");
        }
    }
}
