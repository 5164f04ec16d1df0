//! The `millrace` command as its users have it: the program itself, against a server on a socket.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should end")]

mod command;
mod demo;
mod far_end;
mod import;
mod load;
mod sender;
