//! Events in, durable before they are accepted.
//!
//! `POST /api/v1/events` → who is it ([`millrace_http::authorized`]) → inflate under a cap ([`millrace_http::body`])
//! → split into events ([`split`]) → hold each to the laws ([`millrace_domain::draft`]) → set aside what was seen
//! before ([`admit`]) → publish, and wait until the log has it on disk ([`millrace_messaging::publisher`]) → answer
//! with a verdict on every event ([`verdicts`]).
//!
//! This service cannot touch the database: it does not depend on `storage`.

pub mod admit;
pub mod app;
pub mod authenticator;
pub mod config;
pub mod errors;
pub mod routes;
pub mod split;
pub mod state;
pub mod verdicts;
