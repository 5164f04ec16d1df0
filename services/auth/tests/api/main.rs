//! Auth as people and services meet it, between a real PostgreSQL and a real NATS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should end")]

mod accounts;
mod answers;
mod attempts;
mod faults;
mod keys;
mod login;
mod members;
mod openapi;
mod permissions;
mod projects;
mod session;
mod sessions;
mod signing_keys;
mod stage;
mod startup;
