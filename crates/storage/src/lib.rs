//! PostgreSQL with TimescaleDB: one file per aggregate, the append of events, the roll-ups.
//!
//! Functions take a connection, never the pool: a function that held one connection while asking for another could
//! wait for itself. [`append`] has connections of its own (see there).

pub mod accounts;
pub mod activity;
pub mod api_keys;
pub mod append;
pub mod compaction;
pub mod counts;
pub mod database;
pub mod error;
pub mod external_identities;
pub mod members;
pub mod migrations;
pub mod projects;
pub mod raw;
pub mod refresh_tokens;
mod schema;
pub mod sessions;
pub mod signing_keys;
pub mod snapshot;
