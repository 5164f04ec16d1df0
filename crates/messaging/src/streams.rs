//! The streams and their laws.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};

use crate::broker::Broker;
use crate::error::MessagingError;
use crate::subjects;

/// How much the log may hold.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// Bytes of accepted events that are not stored yet. When they are used up, ingest answers 503.
    pub events_bytes: u64,
    /// Bytes of dead letters. When they are used up, a poisoned message stays in the log until there is room.
    pub dead_letters_bytes: u64,
    /// Copies in the cluster: 1, 3 or 5.
    pub replicas: usize,
}

/// Room for what the broker says of messages it has given up on, some 400 bytes each.
const EXHAUSTED_BYTES: u64 = 8 << 20;

/// For how long the same letter is known again: longer than a message is delivered again and again, 100 times every 30
/// seconds.
const DEAD_LETTERS_WINDOW: Duration = Duration::from_secs(3600);

/// Creates the streams, or brings their limits up to date. Every service may call it.
///
/// # Errors
/// When the broker is away or refuses the configuration.
pub async fn ensure(broker: &Broker, limits: StreamLimits) -> Result<(), MessagingError> {
    let events = Config {
        name: subjects::EVENTS_STREAM.to_owned(),
        subjects: vec![subjects::EVENTS_SUBJECTS.to_owned()],
        // A message leaves the log when a worker has stored its events, and never otherwise: there is no age limit,
        // and a full log refuses new messages instead of dropping old ones.
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        ..base(limits.events_bytes, limits.replicas)
    };
    let dead_letters = Config {
        name: subjects::DEAD_LETTERS_STREAM.to_owned(),
        subjects: vec![subjects::DEAD_LETTERS_SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        // A message of which only some letters had room comes again until it is given up; those are not doubled.
        duplicate_window: DEAD_LETTERS_WINDOW,
        ..base(limits.dead_letters_bytes, limits.replicas)
    };
    let exhausted = Config {
        name: subjects::EXHAUSTED_STREAM.to_owned(),
        subjects: vec![subjects::EXHAUSTED_SUBJECTS.to_owned()],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        ..base(EXHAUSTED_BYTES, limits.replicas)
    };
    for config in [events, dead_letters, exhausted] {
        broker.jetstream.create_or_update_stream(config).await.map_err(MessagingError::unavailable)?;
    }
    Ok(())
}

/// How much the stream of security events may hold.
#[derive(Clone, Copy, Debug)]
pub struct AuditLimits {
    /// Bytes of security events that are not in the audit log yet. When they are used up, auth appends by itself.
    pub bytes: u64,
    /// Copies in the cluster: 1, 3 or 5.
    pub replicas: usize,
}

/// Creates the stream of security events, or brings its limits up to date. Auth does.
///
/// # Errors
/// When the broker is away or refuses the configuration.
pub async fn ensure_audit(broker: &Broker, limits: AuditLimits) -> Result<(), MessagingError> {
    let audit = Config {
        name: subjects::AUDIT_STREAM.to_owned(),
        subjects: vec![subjects::AUDIT_SUBJECTS.to_owned()],
        // As for events: a message leaves the stream when its event is in the audit log, and never otherwise.
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        ..base(limits.bytes, limits.replicas)
    };
    broker.jetstream.create_or_update_stream(audit).await.map_err(MessagingError::unavailable)?;
    Ok(())
}

/// What the stream of jobs may hold: words of a hundred bytes.
const JOBS_BYTES: u64 = 16 << 20;
/// How long such a word is worth keeping. By then the workers have found the job by themselves.
const JOBS_AGE: Duration = Duration::from_secs(3600);

/// Creates the stream that says which jobs wait. Auth and the workers do.
///
/// # Errors
/// When the broker is away or refuses the configuration.
pub async fn ensure_jobs(broker: &Broker, replicas: usize) -> Result<(), MessagingError> {
    let jobs = Config {
        name: subjects::JOBS_STREAM.to_owned(),
        subjects: vec![subjects::JOBS_SUBJECTS.to_owned()],
        retention: RetentionPolicy::WorkQueue,
        // The jobs themselves are in the database: a word that is lost costs some seconds.
        discard: DiscardPolicy::Old,
        max_age: JOBS_AGE,
        ..base(JOBS_BYTES, replicas)
    };
    broker.jetstream.create_or_update_stream(jobs).await.map_err(MessagingError::unavailable)?;
    Ok(())
}

/// What the stream of notifications may hold: some hundred thousand.
const NOTIFICATIONS_BYTES: u64 = 64 << 20;
/// How long somebody may be away and still be told what they missed.
const NOTIFICATIONS_AGE: Duration = Duration::from_secs(3 * 24 * 3600);

/// Creates the stream of notifications, or brings its limits up to date. Analytics does.
///
/// # Errors
/// When the broker is away or refuses the configuration.
pub async fn ensure_notifications(broker: &Broker, replicas: usize) -> Result<(), MessagingError> {
    let notifications = Config {
        name: subjects::NOTIFICATIONS_STREAM.to_owned(),
        subjects: vec![subjects::NOTIFICATIONS_SUBJECTS.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        max_age: NOTIFICATIONS_AGE,
        // Whoever hears of something can rely on finding it again, and knows where it stands.
        republish: Some(Republish {
            source: subjects::NOTIFICATIONS_SUBJECTS.to_owned(),
            destination: subjects::TOLD_SUBJECTS.to_owned(),
            headers_only: false,
        }),
        ..base(NOTIFICATIONS_BYTES, replicas)
    };
    broker.jetstream.create_or_update_stream(notifications).await.map_err(MessagingError::unavailable)?;
    Ok(())
}

fn base(max_bytes: u64, replicas: usize) -> Config {
    Config {
        storage: StorageType::File,
        max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
        num_replicas: replicas,
        duplicate_window: Duration::from_secs(120),
        ..Config::default()
    }
}
