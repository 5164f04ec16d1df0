//! How a service begins a shared connection: with the core that its thread stays on, so that a client who stays on one can
//! have it answered there. A u32, big-endian; its highest value from a thread that runs on any core.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

const ANY: u32 = u32::MAX;

/// Adds the greeting of a thread that stays on this core.
pub fn put(to: &mut BytesMut, core: Option<u32>) {
    to.put_u32(core.unwrap_or(ANY));
}

/// Reads the greeting: the core, if the thread stays on one.
///
/// # Errors
/// When the connection ends before it.
pub async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<u32>> {
    let core = from.read_u32().await?;
    Ok((core != ANY).then_some(core))
}
