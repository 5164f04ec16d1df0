//! Files in a bucket of a server that somebody else wrote.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on panics")]

use std::time::Duration;

use futures_util::TryStreamExt;
use millrace_files::{Files, FilesError};
use millrace_testkit::peers::Peer;

fn bucket(server: &Peer, place: &str) -> Files {
    let variables = [
        ("AWS_ENDPOINT", server.ready.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "ada"),
        ("AWS_SECRET_ACCESS_KEY", "lovelace"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Files::in_environment(&place.parse().unwrap(), variables).unwrap()
}

#[tokio::test]
async fn files_go_to_a_bucket_in_parts_and_are_there_once_they_are_finished() {
    let server = Peer::start("s3.py", &["shop"]).await;
    let files = bucket(&server, "s3://shop/millrace/files");
    // More than one part of an upload, and less.
    let content: Vec<u8> = (0..20 << 20).map(|n: u32| u8::try_from(n % 251).unwrap()).collect();
    let mut large = files.create("exports/a/large").unwrap();
    for piece in content.chunks(1 << 20) {
        large.write(piece).await.unwrap();
    }
    assert!(matches!(files.open("exports/a/large").await, Err(FilesError::Missing(_))));
    assert_eq!(large.finish().await.unwrap(), 20 << 20);
    let mut small = files.create("exports/b/small").unwrap();
    small.write(b"small").await.unwrap();
    small.finish().await.unwrap();
    let mut given_up = files.create("exports/a/given-up").unwrap();
    given_up.write(&content).await.unwrap();
    given_up.abandon().await.unwrap();

    let reading = files.open("exports/a/large").await.unwrap();
    let pieces: Vec<_> = reading.content.try_collect().await.unwrap();
    assert!(pieces.concat() == content, "what is read is what was written");
    assert_eq!(files.size("exports/b/small").await.unwrap(), 5);
    assert_eq!(files.list("exports").await.unwrap(), ["exports/a/large", "exports/b/small"]);

    // Whoever has the link needs nothing else.
    let link = files.link("exports/b/small", Duration::from_secs(60)).await.unwrap().unwrap();
    assert_eq!(reqwest::get(link).await.unwrap().text().await.unwrap(), "small");

    files.delete_folder("exports/a").await.unwrap();
    assert_eq!(files.list("exports").await.unwrap(), ["exports/b/small"]);
    files.delete("exports/a/large").await.unwrap();

    let elsewhere = bucket(&server, "s3://nowhere");
    let mut writing = elsewhere.create("a").unwrap();
    writing.write(b"a").await.unwrap();
    assert!(writing.finish().await.is_err(), "there is no such bucket");
}
