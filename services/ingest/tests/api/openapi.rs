//! The published document, pinned: a change to the API is a change to a file that reviewers see.

#[test]
fn openapi_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/ingest.json");
    let document = millrace_ingest::routes::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("MILLRACE_WRITE_OPENAPI").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let pinned = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        pinned == document,
        "docs/openapi/ingest.json differs from the routes: run `make openapi` and look at it"
    );
}
