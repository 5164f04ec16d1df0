//! What else there is to say of a security event.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::access::{Role, Scope};
use crate::analytics::time_zone::TimeZone;
use crate::ids::{AccountId, DashboardId, KeyId};
use crate::text::ShortText;

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
