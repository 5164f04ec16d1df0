//! The gateway between real clients and real servers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up must fail")]
#![expect(clippy::indexing_slicing, reason = "so must one that gets something else than it looks for")]

mod attacks;
mod browser;
mod browser_sessions;
mod browsers;
mod circuits;
mod compression;
mod connections;
mod cookies;
mod csrf;
mod endurance;
mod failures;
mod gateway;
mod headers;
mod health;
mod http2;
mod limits;
mod live;
mod missed;
mod neighbours;
mod notifications;
mod openapi;
mod process;
mod rates;
mod raw;
mod restart;
mod routing;
mod secrets;
mod shutdown;
mod socket;
mod stage;
mod streaming;
mod tls;
mod upstream;
