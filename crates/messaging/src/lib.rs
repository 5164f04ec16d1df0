//! NATS: the log that makes "accepted" mean "durable", and the questions services ask each other.

pub mod audit;
pub mod broker;
pub mod browser_sessions;
pub mod consumer;
pub mod dead_letters;
pub mod error;
pub mod event_limits;
pub mod group;
pub mod keys;
pub mod publisher;
mod remembered;
pub mod requests;
pub mod revocations;
mod room;
pub mod stored;
pub mod streams;
pub mod subjects;
pub mod tokens;
pub mod trace;
pub mod wire;
