//! PostgreSQL with TimescaleDB: one file per aggregate, the append of events, the roll-ups.
//!
//! Functions take a connection, never the pool: a function that held one connection while asking for another could
//! wait for itself. [`append`] has connections of its own (see there).
//!
//! What touches the rows of a project takes a [`ProjectId`](millrace_domain::ids::ProjectId): a question that forgets
//! whose rows it asks for does not compile.
//!
//! ```compile_fail,E0061
//! # async fn ask(conn: &mut diesel_async::AsyncPgConnection) {
//! millrace_storage::members::of_project(conn).await;
//! # }
//! ```

pub mod accounts;
pub mod activity;
pub mod activity_editions;
pub mod alerts;
pub mod api_keys;
pub mod append;
pub mod audit;
pub mod cohorts;
pub mod compaction;
pub mod counts;
pub mod dashboard_shares;
pub mod dashboards;
pub mod database;
pub mod erasure;
pub mod error;
pub mod event_properties;
pub mod event_schemas;
pub mod export;
pub mod external_identities;
pub mod insight_results;
pub mod insights;
pub mod jobs;
mod kept;
pub mod mail_tokens;
pub mod mails;
pub mod maintenance;
pub mod members;
pub mod migrations;
pub mod postings;
pub mod projects;
pub mod properties;
pub mod raw;
pub mod rebuild;
pub mod refresh_tokens;
pub mod retention;
mod schema;
mod selected;
pub mod sessions;
pub mod signing_keys;
pub mod snapshot;
pub mod sql;
pub mod starting_dashboards;
pub mod tiles;
pub mod trends;
pub mod user_events;
pub mod users;
