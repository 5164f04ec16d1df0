//! Who did what, to what, from where, and how it ended.
//!
//! A security event holds no secret: no password, no token, no key, and no e-mail address either, because people type
//! passwords into the field beside it. Accounts, projects, keys and sessions are named by their ids.

use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, ProjectId, SecurityEventId};
use crate::text::ShortText;

pub mod action;
mod details;
mod target;

use action::Action;
pub use details::Details;
pub use target::Target;

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::access::Scope;
    use crate::ids::KeyId;

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
