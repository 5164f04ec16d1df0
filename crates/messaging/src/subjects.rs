//! Every subject and header, in one place.

use millrace_domain::audit::action::Action;
use millrace_domain::ids::ProjectId;

/// The stream of accepted events that are not stored yet.
pub const EVENTS_STREAM: &str = "EVENTS";
/// The subjects of [`EVENTS_STREAM`].
pub const EVENTS_SUBJECTS: &str = "events.v1.*";
/// The stream of events that can never be stored.
pub const DEAD_LETTERS_STREAM: &str = "DEAD_LETTERS";
/// The subjects of [`DEAD_LETTERS_STREAM`].
pub const DEAD_LETTERS_SUBJECTS: &str = "dead.v1.*";
/// The durable consumer that all workers share.
pub const WORKERS: &str = "workers";

/// The stream of security events that are not in the audit log yet.
pub const AUDIT_STREAM: &str = "AUDIT";
/// The subjects of [`AUDIT_STREAM`].
pub const AUDIT_SUBJECTS: &str = "audit.v1.>";
/// The durable consumer that all replicas of auth share.
pub const AUDITORS: &str = "auditors";

/// The table of how many events a second projects may send: a key-value bucket, under their ids.
pub const EVENT_LIMITS_TABLE: &str = "event_limits";

/// Asks what an API key grants.
pub const RESOLVE_KEY: &str = "auth.v1.key.resolve";
/// Asks what an access token grants.
pub const VERIFY_TOKEN: &str = "auth.v1.token.verify";
/// Asks what the cookie of a browser session stands for.
pub const OPEN_SESSION: &str = "auth.v1.session.open";
/// Asks a question about events.
pub const QUERY: &str = "analytics.v1.query";
/// Tells everyone that something was revoked.
pub const REVOKED: &str = "auth.v1.revoked";

/// The id of the HTTP request that brought a message.
pub const REQUEST_ID_HEADER: &str = "Millrace-Request-Id";
/// Where to say that a message's events are stored.
pub const STORED_REPLY_HEADER: &str = "Millrace-Stored-Reply";
/// Why a dead letter is one: a machine-readable reason.
pub const REASON_HEADER: &str = "Millrace-Reason";
/// Why a dead letter is one, in words.
pub const DETAIL_HEADER: &str = "Millrace-Detail";
/// The stream sequence of the message a dead letter was in.
pub const SEQUENCE_HEADER: &str = "Millrace-Stream-Sequence";

/// Where a project's accepted events go.
#[must_use]
pub fn events(project: ProjectId) -> String {
    format!("events.v1.{project}")
}

/// Where a project's dead letters go.
#[must_use]
pub fn dead_letters(project: ProjectId) -> String {
    format!("dead.v1.{project}")
}

/// Where security events of an action's area go.
#[must_use]
pub fn audit(action: Action) -> String {
    format!("audit.v1.{}", action.area())
}

/// The project in a subject of ours.
#[must_use]
pub fn project_in(subject: &str) -> Option<ProjectId> {
    subject.rsplit('.').next()?.parse().ok()
}
