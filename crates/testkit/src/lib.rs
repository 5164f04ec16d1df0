//! For tests: the real servers, cut into pieces that tests can have for themselves, and words to write stories with.
//!
//! `make test` starts the servers and names them in the environment. Every test gets a database and a NATS account of
//! its own. Redis is shared where every key carries a project's id, because every test makes its own projects.

pub mod database;
pub mod nats;
pub mod peers;
pub mod proxy;
pub mod recount;
pub mod redis;
pub mod servers;
pub mod sql_login;
pub mod story;
pub mod wait;
