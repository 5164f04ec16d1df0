//! Request bodies, inflated under a cap.
//!
//! The cap holds *while* inflating: a decoder is read through a bounded reader and never asked for more. Checking
//! after the fact is what makes decompression bombs work, and a few hundred bytes are enough for one.

use std::io::Read;
use std::sync::LazyLock;

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::cores::roam;
use crate::problem::{Code, Problem};

/// The threads that inflate. What a body holds meanwhile is not known before it is done: up to the limit, and the window of
/// its encoding, which an allocator then keeps for each thread that had it. Two inflate faster than anything behind them
/// goes on with it, and whatever their number, bodies cost the memory of two.
static INFLATERS: LazyLock<std::io::Result<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread().thread_name("inflate").on_thread_start(roam).max_blocking_threads(2).build()
});

/// The encodings a body may have, once each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
    Deflate,
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// More than the limit, on the wire or inflated.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// `Content-Encoding` names something else.
    #[error("the content encoding `{0}` is not supported: use gzip, zstd, br or deflate")]
    Encoding(String),
    /// The bytes are not in the encoding that is named.
    #[error("the body is not valid {0}")]
    Corrupt(&'static str),
    /// The connection broke.
    #[error("the body ended early: {0}")]
    Cut(String),
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let code = match error {
            BodyError::TooLarge(_) => Code::TooLarge,
            BodyError::Encoding(_) => Code::UnsupportedMedia,
            BodyError::Corrupt(_) | BodyError::Cut(_) => Code::Malformed,
        };
        Self::new(code, error.to_string())
    }
}

/// Reads a whole body of at most `limit` bytes, on the wire and inflated.
///
/// # Errors
/// See [`BodyError`].
pub async fn read(headers: &HeaderMap, mut payload: web::Payload, limit: usize) -> Result<Bytes, BodyError> {
    let encoding = encoding(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(BodyError::TooLarge(limit));
    }
    let mut wire = BytesMut::with_capacity(announced.unwrap_or(0).min(limit));
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|e| BodyError::Cut(e.to_string()))?;
        if wire.len() + chunk.len() > limit {
            return Err(BodyError::TooLarge(limit));
        }
        wire.extend_from_slice(&chunk);
    }
    let wire = wire.freeze();
    if encoding == Encoding::Identity {
        return Ok(wire);
    }
    inflate_aside(encoding, wire, limit).await
}

/// Inflates a body that is gzip although no header says so.
///
/// # Errors
/// See [`BodyError`].
pub async fn gunzip(wire: Bytes, limit: usize) -> Result<Bytes, BodyError> {
    inflate_aside(Encoding::Gzip, wire, limit).await
}

async fn inflate_aside(encoding: Encoding, wire: Bytes, limit: usize) -> Result<Bytes, BodyError> {
    // Off the worker thread: a small body may inflate to the whole limit.
    let inflaters = INFLATERS.as_ref().map_err(|error| BodyError::Cut(error.to_string()))?;
    match inflaters.spawn_blocking(move || inflate(encoding, &wire, limit)).await {
        Ok(inflated) => inflated,
        Err(cancelled) => Err(BodyError::Cut(cancelled.to_string())),
    }
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, BodyError> {
    let Some(header) = headers.get(CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    match header.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        "br" => Ok(Encoding::Brotli),
        "deflate" => Ok(Encoding::Deflate),
        other => Err(BodyError::Encoding(other.chars().take(50).collect())),
    }
}

fn inflate(encoding: Encoding, wire: &[u8], limit: usize) -> Result<Bytes, BodyError> {
    match encoding {
        Encoding::Identity => Ok(Bytes::copy_from_slice(wire)),
        Encoding::Gzip => bounded(flate2::read::MultiGzDecoder::new(wire), "gzip", limit),
        Encoding::Brotli => bounded(brotli::Decompressor::new(wire, 8 * 1024), "brotli", limit),
        // RFC 9110 means the zlib format by "deflate"; some clients send the bare stream.
        Encoding::Deflate => {
            bounded(flate2::read::ZlibDecoder::new(wire), "deflate", limit).or_else(|error| match error {
                BodyError::Corrupt(_) => bounded(flate2::read::DeflateDecoder::new(wire), "deflate", limit),
                other => Err(other),
            })
        }
        Encoding::Zstd => {
            let corrupt = |_: std::io::Error| BodyError::Corrupt("zstd");
            let mut decoder = zstd::stream::read::Decoder::with_buffer(wire).map_err(corrupt)?;
            // A frame may ask for a window of gigabytes; 8 MiB is what RFC 9659 lets HTTP senders use.
            decoder.window_log_max(23).map_err(corrupt)?;
            bounded(decoder, "zstd", limit)
        }
    }
}

fn bounded(decoder: impl Read, name: &'static str, limit: usize) -> Result<Bytes, BodyError> {
    let mut inflated = Vec::new();
    let cap = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(cap).read_to_end(&mut inflated).map_err(|_not_this_encoding| BodyError::Corrupt(name))?;
    if inflated.len() > limit {
        return Err(BodyError::TooLarge(limit));
    }
    Ok(inflated.into())
}

#[cfg(test)]
mod tests;
