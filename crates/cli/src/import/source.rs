use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

/// Something to import: a file, or standard input.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its name, for reports.
    pub(super) name: Arc<str>,
    path: PathBuf,
    /// Bytes on disk, where that is known.
    pub(super) size: Option<u64>,
}

/// A source that cannot be read.
#[derive(Debug, Error)]
#[error("cannot read {name}")]
pub(super) struct SourceError {
    pub(super) name: Arc<str>,
    #[source]
    pub(super) cause: io::Error,
}

const STANDARD_INPUT: &str = "-";
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

impl Source {
    /// Looks whether it is there, so that a misspelt name is told before anything is sent.
    pub(super) fn find(path: &Path) -> Result<Self, SourceError> {
        let (name, path) = (Arc::from(path.to_string_lossy()), path.to_owned());
        if path == Path::new(STANDARD_INPUT) {
            return Ok(Self { name, path, size: None });
        }
        let found = path.metadata().and_then(|metadata| {
            if metadata.is_dir() { Err(io::Error::from(io::ErrorKind::IsADirectory)) } else { Ok(metadata) }
        });
        match found {
            Ok(metadata) => Ok(Self { name, path, size: metadata.is_file().then_some(metadata.len()) }),
            Err(cause) => Err(SourceError { name, cause }),
        }
    }

    /// Opens it and undoes its compression. `consumed` counts the bytes as they are on disk.
    pub(super) fn open(&self, consumed: Arc<AtomicU64>) -> io::Result<Box<dyn Read + Send>> {
        if self.path == Path::new(STANDARD_INPUT) {
            inflated(Counted { inner: io::stdin(), consumed })
        } else {
            inflated(Counted { inner: File::open(&self.path)?, consumed })
        }
    }
}

/// Undoes gzip and zstd, which are known by their first bytes whatever the name says.
fn inflated(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    (&mut file).take(4).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(&GZIP), magic.starts_with(&ZSTD));
    let whole = Cursor::new(magic).chain(file);
    if gzip {
        // One file may hold several gzip members, as `cat a.gz b.gz` makes them.
        Ok(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(128 * 1024, whole))))
    } else if zstd {
        Ok(Box::new(zstd::Decoder::new(whole)?))
    } else {
        Ok(Box::new(whole))
    }
}

struct Counted<R> {
    inner: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.consumed.fetch_add(count.try_into().unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn compression_is_known_by_content() {
        let text = b"event_type\nlogin\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for (input, times) in
            [(text.to_vec(), 1), (gzip.clone(), 1), ([gzip.clone(), gzip].concat(), 2), (zstd, 1)]
        {
            let mut output = Vec::new();
            inflated(Cursor::new(input)).unwrap().read_to_end(&mut output).unwrap();
            assert_eq!(output, text.repeat(times));
        }
    }

    #[test]
    fn short_and_empty_inputs_are_read_whole() {
        for input in ["", "a", "abc"] {
            let mut output = String::new();
            inflated(Cursor::new(input)).unwrap().read_to_string(&mut output).unwrap();
            assert_eq!(output, input);
        }
    }

    #[test]
    fn a_missing_file_and_a_folder_are_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::find(folder.path()).is_err());
        assert!(Source::find(&folder.path().join("none.csv")).is_err());
    }
}
