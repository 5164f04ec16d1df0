use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use millrace_rows::inflated;
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
    use super::*;

    #[test]
    fn a_missing_file_and_a_folder_are_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::find(folder.path()).is_err());
        assert!(Source::find(&folder.path().join("none.csv")).is_err());
    }
}
