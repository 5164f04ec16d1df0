//! Analytics as its clients meet it, on a real database, with the real auth beside it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test that cannot go on panics, and its numbers are small"
)]

mod access;
mod alerts;
mod another_zone;
mod api_limits;
mod asked;
mod caching;
mod chronicle;
mod cohorts;
mod dashboard_data;
mod dashboards;
mod definition;
mod definitions_page;
mod event_types;
mod examples;
mod expired;
mod faults;
mod files;
mod funnels;
mod generated;
mod insights;
mod killed;
mod language;
mod limits;
mod memory;
mod openapi;
mod parameters;
mod people;
mod periods;
mod postings;
mod questions;
mod receiver;
mod roles;
mod schema;
mod services;
mod snapshots;
mod sql;
mod stage;
mod templates;
mod trends;
mod users;
