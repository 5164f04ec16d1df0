//! Files that jobs read and write: a folder, or a bucket that speaks S3.
//!
//! A file is there once it is complete, and not before: what was being written when a process died is never read. Files
//! are streamed in both directions, so their size costs no memory: what is written is held a part or two at a time.

mod place;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use url::Url;

pub use place::{BadPlace, Place};

/// Bytes that are gathered before they are sent: the smallest part that S3 takes is 5 MiB.
const PART_BYTES: usize = 8 << 20;

/// A file that was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no such file.
    #[error("there is no file {0}")]
    Missing(String),
    /// The folder or the bucket cannot be used as it is configured; trying again will not help.
    #[error("the file store refuses: {0}")]
    Refused(String),
    /// The store is away, full or slow: the same may succeed later.
    #[error("the file store is unavailable: {0}")]
    Unavailable(String),
}

impl From<object_store::Error> for FilesError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::Missing(path),
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. }
            | object_store::Error::InvalidPath { .. }
            | object_store::Error::NotImplemented { .. } => Self::Refused(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Where the files are. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
    /// Who signs links, where it is a bucket.
    bucket: Option<Arc<AmazonS3>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Files({})", self.store)
    }
}

/// A file that is being read.
pub struct Reading {
    /// How many bytes it has.
    pub size: u64,
    /// Its content.
    pub content: BoxStream<'static, Result<Bytes, FilesError>>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({} bytes)", self.size)
    }
}

impl Files {
    /// Where the file is, of that name.
    fn path(&self, name: &str) -> Result<Path, FilesError> {
        let path = Path::parse(name).map_err(|error| FilesError::Refused(error.to_string()))?;
        Ok(self.prefix.parts().chain(path.parts()).collect())
    }

    /// Begins to write a file, in place of one that may be there.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn create(&self, name: &str) -> Result<Writing, FilesError> {
        let path = self.path(name)?;
        // A folder takes a part at once, mostly; when its disk stalls, parts must not gather in memory. A bucket is far away,
        // and the next part is gathered while one is on its way.
        let parts_at_once = if self.folder.is_some() { 1 } else { 2 };
        let sink = BufWriter::with_capacity(Arc::clone(&self.store), path, PART_BYTES)
            .with_max_concurrency(parts_at_once);
        Ok(Writing { sink, bytes: 0 })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`FilesError::Missing`] when there is none of that name.
    pub async fn open(&self, name: &str) -> Result<Reading, FilesError> {
        let found = self.store.get(&self.path(name)?).await?;
        let size = found.meta.size;
        Ok(Reading { size, content: found.into_stream().map_err(FilesError::from).boxed() })
    }

    /// How many bytes a file has.
    ///
    /// # Errors
    /// [`FilesError::Missing`] when there is none of that name.
    pub async fn size(&self, name: &str) -> Result<u64, FilesError> {
        Ok(self.store.head(&self.path(name)?).await?.size)
    }

    /// Deletes a file; that there is none is no error.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, name: &str) -> Result<(), FilesError> {
        match self.store.delete(&self.path(name)?).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            done => Ok(done?),
        }
    }

    /// The names of everything below a folder.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, FilesError> {
        let found = self.store.list(Some(&self.path(folder)?)).map_ok(|meta| meta.location);
        let paths: Vec<Path> = found.try_collect().await?;
        let name = |path: &Path| path.as_ref().strip_prefix(self.prefix.as_ref()).map(str::to_owned);
        Ok(paths.iter().filter_map(name).map(|name| name.trim_start_matches('/').to_owned()).collect())
    }

    /// Deletes everything below a folder, what was never completed included.
    ///
    /// # Errors
    /// When the store fails; what was deleted stays deleted.
    pub async fn delete_folder(&self, folder: &str) -> Result<(), FilesError> {
        for name in self.list(folder).await? {
            self.delete(&name).await?;
        }
        // A process that was killed leaves the beginning of a file behind, which the list does not show.
        if let Some(root) = &self.folder {
            let below = root.join(self.path(folder)?.as_ref());
            match tokio::fs::remove_dir_all(below).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FilesError::Unavailable(error.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A link by which anybody may read a file for a while, where the store makes such links: a bucket does.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn link(&self, name: &str, good_for: Duration) -> Result<Option<Url>, FilesError> {
        let Some(bucket) = &self.bucket else { return Ok(None) };
        Ok(Some(bucket.signed_url(reqwest::Method::GET, &self.path(name)?, good_for).await?))
    }
}

/// A file that is being written. It is there once it is finished; one that is dropped never was.
pub struct Writing {
    sink: BufWriter,
    bytes: u64,
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writing({} bytes)", self.bytes)
    }
}

impl Writing {
    /// Adds to it.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn write(&mut self, content: &[u8]) -> Result<(), FilesError> {
        self.sink.write_all(content).await.map_err(unwritten)?;
        self.bytes += u64::try_from(content.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// How many bytes were added.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Completes it, and returns how many bytes it has.
    ///
    /// # Errors
    /// When the store fails; there is no such file then.
    pub async fn finish(mut self) -> Result<u64, FilesError> {
        self.sink.shutdown().await.map_err(unwritten)?;
        Ok(self.bytes)
    }

    /// Gives it up, and what was sent already.
    ///
    /// # Errors
    /// When the store fails; it may keep what was sent, unseen.
    pub async fn abandon(mut self) -> Result<(), FilesError> {
        Ok(self.sink.abort().await?)
    }
}

fn unwritten(error: std::io::Error) -> FilesError {
    match error.downcast::<object_store::Error>() {
        Ok(error) => error.into(),
        Err(error) => FilesError::Unavailable(error.to_string()),
    }
}
