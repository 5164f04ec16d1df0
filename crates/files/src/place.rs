//! Where files are, as a setting says it.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use url::Url;

use crate::{Files, FilesError};

/// A folder like `/var/lib/millrace`, or a bucket like `s3://bucket/prefix`. Where the bucket is and who may use it is
/// told by the variables that every tool for S3 knows: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
/// `AWS_ENDPOINT` for servers of one's own, `AWS_ALLOW_HTTP` for those without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder. Processes on several machines must share it.
    Folder(PathBuf),
    /// A bucket, and what the names of files in it begin with.
    Bucket {
        /// Its name.
        bucket: String,
        /// May be empty.
        prefix: String,
    },
}

/// A place that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the absolute path of a folder, or like `s3://bucket/prefix`")]
pub struct BadPlace;

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        if text.starts_with('/') {
            return Ok(Self::Folder(text.into()));
        }
        let url: Url = text.parse().map_err(|_not_a_url| BadPlace)?;
        let bucket = url.host_str().filter(|_| url.scheme() == "s3").ok_or(BadPlace)?;
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: url.path().trim_matches('/').to_owned() })
    }
}

impl Files {
    /// The files of a place. A folder is made if it is not there; a bucket must be.
    ///
    /// # Errors
    /// When the folder cannot be made, or the environment does not say how to reach the bucket.
    pub fn at(place: &Place) -> Result<Self, FilesError> {
        Self::in_environment(place, std::env::vars())
    }

    /// The same, with these variables for the environment's.
    ///
    /// # Errors
    /// As [`Files::at`].
    pub fn in_environment(
        place: &Place,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, FilesError> {
        match place {
            Place::Folder(folder) => {
                let refused =
                    |error: std::io::Error| FilesError::Refused(format!("{}: {error}", folder.display()));
                std::fs::create_dir_all(folder).map_err(refused)?;
                let folder = folder.canonicalize().map_err(refused)?;
                let store = LocalFileSystem::new_with_prefix(&folder)?;
                let prefix = Path::default();
                Ok(Self { store: Arc::new(store), prefix, folder: Some(folder), bucket: None })
            }
            Place::Bucket { bucket, prefix } => {
                let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
                for (name, value) in variables {
                    if name.starts_with("AWS_")
                        && let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
                    {
                        builder = builder.with_config(key, value);
                    }
                }
                let bucket = Arc::new(builder.build()?);
                let prefix = Path::parse(prefix).map_err(|error| FilesError::Refused(error.to_string()))?;
                Ok(Self {
                    store: Arc::<AmazonS3>::clone(&bucket),
                    prefix,
                    folder: None,
                    bucket: Some(bucket),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        assert_eq!("/var/lib/millrace".parse(), Ok(Place::Folder("/var/lib/millrace".into())));
        let bucket = |bucket: &str, prefix: &str| {
            Ok(Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        assert_eq!("s3://shop/a/b/".parse(), bucket("shop", "a/b"));
        assert_eq!("s3://shop".parse(), bucket("shop", ""));
        for none in ["", "relative/folder", "https://shop", "s3://", "s3:shop"] {
            assert_eq!(none.parse::<Place>(), Err(BadPlace), "{none:?}");
        }
    }
}
