//! What a sender is told about its events.

use millrace_domain::ids::EventId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::parse::Rejected;

/// The answer to `POST /api/v1/events`. `accepted + duplicates + rejected` is the number of events sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verdicts {
    /// Events that are in the log, durably, or stored where the sender waited for that.
    pub accepted: u64,
    /// Events that had been accepted before, or that stood earlier in the same request.
    pub duplicates: u64,
    /// Events that were refused; nothing of them is kept.
    pub rejected: u64,
    /// Leads to the request in the logs.
    pub request_id: String,
    /// Ids made by the server, for events that were sent without one, in the order they were sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<uuid::Uuid>)]
    pub event_ids: Vec<EventId>,
    /// One for each event that breaks a law.
    pub errors: Vec<EventError>,
}

/// Why an event was refused.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventError {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Its id, as far as it could be read.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub event_id: Option<EventId>,
    /// The reason, for programs.
    #[schema(example = "invalid_occurred_at")]
    pub code: &'static str,
    /// The field at fault, when it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The reason, for people.
    pub message: String,
}

impl From<Rejected> for EventError {
    fn from(rejected: Rejected) -> Self {
        let Rejected { index, event_id, rejection } = rejected;
        Self {
            index,
            event_id,
            code: rejection.code.as_str(),
            field: rejection.field,
            message: rejection.message,
        }
    }
}

/// The answer of the routes of SDKs when every event was refused: the first reason where those SDKs look for one.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refusal {
    /// The reason, for programs.
    #[schema(example = "missing_user_id")]
    pub code: &'static str,
    /// The reason, for people.
    pub message: String,
    /// The same, under another name.
    pub detail: String,
    /// Every reason.
    #[serde(flatten)]
    pub verdicts: Verdicts,
}

impl From<Verdicts> for Refusal {
    fn from(verdicts: Verdicts) -> Self {
        let first = verdicts.errors.first();
        let (code, message) = first.map_or(("", ""), |error| (error.code, error.message.as_str()));
        Self { code, message: message.to_owned(), detail: message.to_owned(), verdicts }
    }
}
