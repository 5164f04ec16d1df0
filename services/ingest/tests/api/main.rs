//! Ingest as its clients meet it, between a real auth, NATS, Redis and, where a story goes that far, a worker.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod access;
mod faults;
mod forms;
mod group;
mod limits;
mod live;
mod openapi;
mod sdk;
mod stage;
mod verdicts;
