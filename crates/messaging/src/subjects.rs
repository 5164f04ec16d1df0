//! Every subject and header, in one place.

use millrace_domain::audit::action::Action;
use millrace_domain::ids::ProjectId;
use millrace_domain::jobs::Kind;
use millrace_domain::notification::NotificationKind;

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

/// The stream of what the broker says of messages that it has given up on delivering to the workers.
pub const EXHAUSTED_STREAM: &str = "EXHAUSTED";
/// The subjects of [`EXHAUSTED_STREAM`]: JetStream's own.
pub const EXHAUSTED_SUBJECTS: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.EVENTS.*";
/// The durable consumer of [`EXHAUSTED_STREAM`] that all workers share.
pub const UNDERTAKERS: &str = "undertakers";

/// The stream of security events that are not in the audit log yet.
pub const AUDIT_STREAM: &str = "AUDIT";
/// The subjects of [`AUDIT_STREAM`].
pub const AUDIT_SUBJECTS: &str = "audit.v1.>";
/// The durable consumer that all replicas of auth share.
pub const AUDITORS: &str = "auditors";

/// The stream that says which jobs wait.
pub const JOBS_STREAM: &str = "JOBS";
/// The subjects of [`JOBS_STREAM`].
pub const JOBS_SUBJECTS: &str = "jobs.v1.*";
/// The durable consumer that all workers share.
pub const JOB_RUNNERS: &str = "job_runners";

/// The stream of what was told to people who look at projects, for those who missed it.
pub const NOTIFICATIONS_STREAM: &str = "NOTIFICATIONS";
/// The subjects of [`NOTIFICATIONS_STREAM`].
pub const NOTIFICATIONS_SUBJECTS: &str = "notify.v1.>";
/// Where what is in [`NOTIFICATIONS_STREAM`] is told once it is there, with its sequence.
pub const TOLD_SUBJECTS: &str = "told.v1.>";

/// The table of how many events a second projects may send: a key-value bucket, under their ids.
pub const EVENT_LIMITS_TABLE: &str = "event_limits";
/// The same of how many questions a second may be asked of projects.
pub const API_LIMITS_TABLE: &str = "api_limits";
/// The same of the origins whose pages may send events of projects.
pub const EVENT_ORIGINS_TABLE: &str = "event_origins";

/// Asks what an API key grants.
pub const RESOLVE_KEY: &str = "auth.v1.key.resolve";
/// Asks what an access token grants.
pub const VERIFY_TOKEN: &str = "auth.v1.token.verify";
/// Asks what the cookie of a browser session stands for.
pub const OPEN_SESSION: &str = "auth.v1.session.open";
/// Asks the workers to put dead letters back into the log.
pub const REPLAY_DEAD_LETTERS: &str = "worker.v1.dead_letters.replay";
/// Asks the workers to delete dead letters.
pub const DROP_DEAD_LETTERS: &str = "worker.v1.dead_letters.drop";
/// Asks a question about events.
pub const QUERY: &str = "analytics.v1.query";
/// Tells everyone that something was revoked.
pub const REVOKED: &str = "auth.v1.revoked";

/// The id of the HTTP request that brought a message.
pub const REQUEST_ID_HEADER: &str = "Millrace-Request-Id";
/// The id of the API key it was sent with.
pub const KEY_ID_HEADER: &str = "Millrace-Key-Id";
/// Where to say that a message's events are stored.
pub const STORED_REPLY_HEADER: &str = "Millrace-Stored-Reply";
/// Why a dead letter is one: a machine-readable reason.
pub const REASON_HEADER: &str = "Millrace-Reason";
/// Why a dead letter is one, in words.
pub const DETAIL_HEADER: &str = "Millrace-Detail";
/// The stream sequence of the message a dead letter was in.
pub const SEQUENCE_HEADER: &str = "Millrace-Stream-Sequence";
/// The subject of the message a dead letter was in.
pub const SUBJECT_HEADER: &str = "Millrace-Subject";
/// How often that message had been delivered.
pub const DELIVERIES_HEADER: &str = "Millrace-Deliveries";
/// When a dead letter first failed, before any replay.
pub const FIRST_FAILURE_HEADER: &str = "Millrace-First-Failure";
/// When it failed last.
pub const LAST_FAILURE_HEADER: &str = "Millrace-Last-Failure";
/// How often it has been replayed.
pub const REPLAYS_HEADER: &str = "Millrace-Replays";

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

/// Where a project's accepted events are shown to whoever listens.
#[must_use]
pub fn live(project: ProjectId) -> String {
    format!("live.v1.{project}")
}

/// Where people who look at a project are told of something.
#[must_use]
pub fn notification(project: ProjectId, kind: NotificationKind) -> String {
    format!("notify.v1.{project}.{}", kind.as_str())
}

/// Everything that people who look at a project are told.
#[must_use]
pub fn notifications(project: ProjectId) -> String {
    format!("notify.v1.{project}.*")
}

/// The same, once it is in the stream.
#[must_use]
pub fn told(project: ProjectId) -> String {
    format!("told.v1.{project}.*")
}

/// Where security events of an action's area go.
#[must_use]
pub fn audit(action: Action) -> String {
    format!("audit.v1.{}", action.area())
}

/// Where it is said that a job of this kind waits.
#[must_use]
pub fn job(kind: Kind) -> String {
    format!("jobs.v1.{kind}")
}

/// The project in a subject of ours.
#[must_use]
pub fn project_in(subject: &str) -> Option<ProjectId> {
    subject.rsplit('.').next()?.parse().ok()
}
