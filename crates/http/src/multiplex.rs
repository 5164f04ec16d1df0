//! Many small requests over one connection: between the gateway and a service on the same machine.
//!
//! Over HTTP/1.1 each request has a connection of its own while it is in hand, and so costs both sides a call to the system
//! to write it, one to read it, and the same for its answer. Here whatever is there at the same time goes out in one piece.
//! Answers come in any order. Requests and answers are whole when they are sent: nothing that streams, and nothing large,
//! goes this way.
//!
//! The service listens beside its socket for HTTP/1.1 ([`beside`], [`serve::serve`]); the gateway asks there first.

use std::path::{Path, PathBuf};

mod exchange;
pub mod frame;
pub mod greeting;
pub mod outbox;
pub mod serve;

/// Where a service listens for requests that share a connection, given where it listens for HTTP/1.1: `ingest.mux` beside
/// `ingest.sock`.
#[must_use]
pub fn beside(socket: &Path) -> PathBuf {
    socket.with_extension("mux")
}
