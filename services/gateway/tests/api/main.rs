//! The gateway between real clients and real servers.

#![expect(missing_docs, reason = "tests")]

mod connections;
mod failures;
mod gateway;
mod headers;
mod health;
mod limits;
mod process;
mod raw;
mod routing;
mod streaming;
mod upstream;
