//! Whether a service answers at all.

use std::io::{Error, Result};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::upstreams::origin::Origin;

/// Where a service says that it is alive.
pub const PATH: &str = "/health/live";

/// Where whoever runs this may ask for it by way of the gateway.
#[must_use]
pub fn through_the_gateway(service: &str) -> String {
    format!("/api/v1/health/{service}/live")
}

/// Asks for [`PATH`], on a connection of its own: a connection from the pool may be answered by a process that
/// no longer accepts new ones.
///
/// # Errors
/// When it cannot be reached or answers anything but 200.
pub async fn check(origin: &Origin) -> Result<()> {
    let (mut stream, authority) = origin.connect().await?;
    stream.write_all(b"GET ").await?;
    stream.write_all(PATH.as_bytes()).await?;
    stream.write_all(b" HTTP/1.1\r\nHost: ").await?;
    stream.write_all(authority.as_bytes()).await?;
    stream.write_all(b"\r\nConnection: close\r\n\r\n").await?;
    let mut status = [0; "HTTP/1.1 200".len()];
    stream.read_exact(&mut status).await?;
    if status.ends_with(b" 200") { Ok(()) } else { Err(Error::other("it answers, but not with 200")) }
}
