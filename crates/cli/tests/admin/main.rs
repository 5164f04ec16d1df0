//! `millrace admin` as an operator has it: the program itself, against a real PostgreSQL and a real NATS.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should end")]

mod audit;
mod bootstrap;
mod command;
mod jobs;
mod keys;
mod people;
mod project_settings;
