//! Analytics as its clients meet it, on a real database, with the real auth beside it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

mod access;
mod asked;
mod caching;
mod chronicle;
mod dashboards;
mod definition;
mod event_types;
mod faults;
mod files;
mod generated;
mod insights;
mod limits;
mod openapi;
mod parameters;
mod people;
mod periods;
mod schema;
mod snapshots;
mod stage;
