//! Files in a folder.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use std::time::Duration;

use futures_util::TryStreamExt;
use millrace_files::{Files, FilesError, Place};

async fn content(files: &Files, name: &str) -> Vec<u8> {
    let reading = files.open(name).await.unwrap();
    let chunks: Vec<_> = reading.content.try_collect().await.unwrap();
    let content = chunks.concat();
    assert_eq!(content.len() as u64, reading.size);
    content
}

#[tokio::test]
async fn a_file_is_there_once_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::at(&Place::Folder(folder.path().join("new/folder"))).unwrap();
    let long = vec![7; 20 << 20];
    let mut writing = files.create("exports/a/part").unwrap();
    writing.write(b"one").await.unwrap();
    writing.write(&long).await.unwrap();
    assert!(matches!(files.open("exports/a/part").await, Err(FilesError::Missing(_))));
    assert_eq!(writing.finish().await.unwrap(), 3 + (20 << 20));
    assert_eq!(content(&files, "exports/a/part").await, [b"one".as_slice(), &long].concat());

    // In place of one that is there, and of one that nobody finished.
    drop(files.create("exports/a/part").unwrap());
    let mut unfinished = files.create("exports/a/other").unwrap();
    unfinished.write(&long).await.unwrap();
    drop(unfinished);
    assert_eq!(files.list("exports").await.unwrap(), ["exports/a/part"]);
    assert_eq!(files.link("exports/a/part", Duration::from_secs(1)).await.unwrap(), None);

    files.delete("exports/a/none").await.unwrap();
    files.delete_folder("exports/a").await.unwrap();
    assert_eq!(files.list("exports").await.unwrap(), [""; 0]);
    assert!(!folder.path().join("new/folder/exports/a").exists(), "what was never finished is gone as well");
    files.delete_folder("exports/a").await.unwrap();
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let files = Files::at(&Place::Folder(folder.path().to_owned())).unwrap();
    for name in ["../a", "a/../../b", "a//b", "./a"] {
        assert!(matches!(files.create(name), Err(FilesError::Refused(_))), "{name}");
    }
}
