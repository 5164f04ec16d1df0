//! Events in, durable before they are accepted.
//!
//! `POST /api/v1/events` → who is it ([`millrace_http::authorized`]) → is there room ([`budget`]) → inflate under a
//! cap ([`millrace_http::body`]) → split into events ([`split`]) → hold each to the laws ([`parse`]) → settle the time
//! of those without one ([`settle`]) → together with others that arrive at the same time ([`group`]) set aside what was
//! accepted before ([`millrace_cache::duplicates`]), publish, and wait until the log has it on disk
//! ([`millrace_messaging::publisher`]) → answer with a verdict on every event ([`verdicts`]).
//!
//! This service cannot touch the database: it does not depend on `storage`.

pub mod admit;
pub mod app;
mod aside;
pub mod authenticator;
pub mod budget;
pub mod config;
mod elements;
pub mod errors;
pub mod event_limit;
mod event_origin;
pub mod group;
pub mod parse;
pub mod routes;
pub mod sdk;
pub mod sender;
pub mod settle;
pub mod split;
pub mod state;
pub mod verdicts;
