//! The description of the whole API.

use std::collections::BTreeSet;

use millrace_gateway::api_document::merged;
use millrace_gateway::upstreams::ROUTES;
use serde_json::Value;

use crate::gateway::{Gateway, nobody};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/millrace.json");

#[test]
fn openapi_document_is_the_committed_one() {
    let document = format!("{:#}\n", merged().unwrap());
    if std::env::var_os("MILLRACE_WRITE_OPENAPI").is_some() {
        std::fs::write(SNAPSHOT, &document).unwrap();
    }
    let committed = std::fs::read_to_string(SNAPSHOT).unwrap();
    assert!(committed == document, "docs/openapi/millrace.json is out of date: run `make openapi`");
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_operation_can_be_read_and_called() {
    let document = merged().unwrap();
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut ids = BTreeSet::new();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{name} has a summary");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name} has an id of its own");
        for status in ["429", "503", "504"] {
            assert!(operation["responses"][status]["description"].is_string(), "{name} {status}");
        }
        let asked = operation["security"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|one| one.as_object().unwrap().keys());
        for scheme in asked {
            assert!(schemes.contains_key(scheme), "{name} asks for {scheme}");
        }
    }
    let text = document.to_string();
    for reference in text.split(r##""$ref":"#"##).skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

// That every documented path is routed, `routing.rs` asks of the services one by one.
#[test]
fn every_prefix_that_is_routed_has_something_documented() {
    let document = merged().unwrap();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    // Short names of routes that are described under their long ones.
    for (prefix, _) in ROUTES.iter().filter(|(prefix, _)| *prefix != "/auth") {
        let below = |path: &&&String| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(paths.iter().find(below).is_some(), "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_there_for_programs_and_for_people_and_loads_nothing_from_elsewhere() {
    let gateway = Gateway::before(nobody());
    let document: Value = gateway.get("/api/v1/openapi.json").await.json().await.unwrap();
    assert_eq!(document, merged().unwrap());

    let page = gateway.get("/docs").await;
    assert_eq!((page.status().as_u16(), page.url().path()), (200, "/docs/"));
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = page.text().await.unwrap();
    let attributes = ["src=\"", "href=\""].map(|attribute| html.split(attribute).skip(1));
    let files: Vec<_> =
        attributes.into_iter().flatten().map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(files.len() > 3 && !html.contains("<style>"), "{html}");
    for file in files {
        assert!(!file.contains("//"), "{file} is elsewhere");
        let answer = gateway.get(&format!("/docs/{}", file.trim_start_matches("./"))).await;
        assert_eq!(answer.status(), 200, "{file}");
    }
    let initializer = gateway.get("/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(initializer.contains("/api/v1/openapi.json"), "{initializer}");
}
