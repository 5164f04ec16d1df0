//! The published document, pinned: a change to the API is a change to a file that reviewers see.

use std::collections::BTreeSet;

#[test]
fn openapi_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/auth.json");
    let document = millrace_auth::routes::openapi().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("MILLRACE_WRITE_OPENAPI").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let pinned = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        pinned == document,
        "docs/openapi/auth.json differs from the routes: run `make openapi` and look at it"
    );
}

#[test]
fn every_operation_says_what_it_does_and_how_it_fails() {
    let document = serde_json::to_value(millrace_auth::routes::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "two operations are called {name}");
            let mut statuses = operation["responses"].as_object().unwrap().keys();
            let public = path.starts_with("/.well-known");
            assert!(public || statuses.any(|status| status.starts_with('4')), "{method} {path} never fails");
        }
    }
}
