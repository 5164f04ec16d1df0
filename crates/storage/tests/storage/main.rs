//! Storage against a real PostgreSQL with TimescaleDB.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod alerts;
mod append;
mod audit;
mod compaction;
mod external_identities;
mod insights;
mod jobs;
mod json;
mod mails;
mod migrations;
mod postings;
mod projects;
mod retention;
mod sessions;
mod snapshot;
