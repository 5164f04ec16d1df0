//! NATS: the log that makes "accepted" mean "durable", and the questions services ask each other.

pub mod audit;
pub mod broker;
pub mod browser_sessions;
pub mod consumer;
pub mod dead_letters;
pub mod error;
pub mod exhausted;
pub mod forgetting;
pub mod jobs;
pub mod keys;
pub mod live;
pub mod notifications;
pub mod project_settings;
pub mod project_tables;
pub mod publisher;
pub mod queries;
mod remembered;
pub mod requests;
pub mod revocations;
mod room;
pub mod source;
pub mod stored;
pub mod streams;
pub mod subjects;
pub mod tokens;
pub mod trace;
pub mod wire;
