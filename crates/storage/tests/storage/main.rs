//! Storage against a real PostgreSQL with TimescaleDB.

mod append;
mod compaction;
mod json;
mod migrations;
mod projects;
