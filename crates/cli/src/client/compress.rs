use std::io::Write;

use bytes::Bytes;
use clap::ValueEnum;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::BaseUrl;

/// Whether request bodies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compress {
    /// For a server elsewhere; on this machine it would cost more than it saves.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Compress {
    pub(super) fn applies_to(self, server: &BaseUrl) -> bool {
        match self {
            Self::Auto => !server.is_loopback(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The body in gzip. Level 3: events shrink about tenfold, and higher levels cost more time than
/// they save on any but the slowest line.
pub(super) fn gzip(body: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::new(3));
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}
