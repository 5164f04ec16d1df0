//! For tests: the real servers, cut into pieces that tests can have for themselves, and words to write stories with.
//!
//! `make test` starts the servers and names them in the environment. Every test gets a database and a NATS account of
//! its own; Redis is shared, because every key in it carries a project's id and every test makes its own projects.

pub mod database;
pub mod nats;
pub mod proxy;
pub mod recount;
pub mod servers;
pub mod story;
pub mod wait;
