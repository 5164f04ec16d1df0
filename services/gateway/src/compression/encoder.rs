//! The encodings of answers.

use std::io::{self, Write};
use std::mem::take;

use actix_web::http::header::{ContentEncoding, Encoding};
use actix_web::web::Bytes;
use brotli::CompressorWriter;
use flate2::write::GzEncoder;

/// The client chooses among them.
pub(super) static OFFERED: [Encoding; 4] =
    [Encoding::zstd(), Encoding::brotli(), Encoding::gzip(), Encoding::identity()];

/// The higher ones save little and cost many times as much.
const ZSTD_LEVEL: i32 = 1;
const GZIP_LEVEL: u32 = 4;
const BROTLI_LEVEL: u32 = 3;
/// 2^18 bytes: each answer on its way has a window.
const BROTLI_WINDOW: u32 = 18;
const BROTLI_BUFFER: usize = 4096;

/// Takes plain bytes, gives encoded ones.
pub(super) enum Encoder {
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Encoder {
    /// `None` for an encoding that leaves everything as it is, or is not known here.
    pub(super) fn new(coding: ContentEncoding) -> io::Result<Option<Self>> {
        Ok(match coding {
            ContentEncoding::Zstd => {
                Some(Self::Zstd(Box::new(zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?)))
            }
            ContentEncoding::Brotli => Some(Self::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                BROTLI_BUFFER,
                BROTLI_LEVEL,
                BROTLI_WINDOW,
            )))),
            ContentEncoding::Gzip => {
                Some(Self::Gzip(Box::new(GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL)))))
            }
            _ => None,
        })
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Zstd(_) => "zstd",
            Self::Brotli(_) => "br",
            Self::Gzip(_) => "gzip",
        }
    }

    /// What is ready after these bytes; often nothing.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        self.writer().write_all(bytes)?;
        Ok(self.ready())
    }

    /// Everything that was written, at the cost of some bytes.
    pub(super) fn flush(&mut self) -> io::Result<Bytes> {
        self.writer().flush()?;
        Ok(self.ready())
    }

    /// The rest.
    pub(super) fn finish(self) -> io::Result<Bytes> {
        Ok(match self {
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Brotli(encoder) => encoder.into_inner(),
            Self::Gzip(encoder) => encoder.finish()?,
        }
        .into())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Zstd(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Gzip(encoder) => encoder,
        }
    }

    fn ready(&mut self) -> Bytes {
        take(match self {
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Brotli(encoder) => encoder.get_mut(),
            Self::Gzip(encoder) => encoder.get_mut(),
        })
        .into()
    }
}
