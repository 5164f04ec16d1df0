//! The description of the whole API.

use std::collections::BTreeSet;

use millrace_gateway::api_document::merged;
use millrace_gateway::upstreams::ROUTES;
use serde_json::Value;

use crate::endurance::ingest;
use crate::gateway::{Gateway, client, nobody};
use crate::stage::Stage;

/// Short names of routes that are described under their long ones.
const SHORT_NAMES: [(&str, &str); 6] = [
    ("POST", "/auth/signup"),
    ("POST", "/auth/login"),
    ("GET", "/auth/me"),
    ("GET", "/auth/verify"),
    ("GET", "/auth/google"),
    ("GET", "/auth/google/callback"),
];
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

#[test]
fn every_prefix_that_is_routed_has_something_documented() {
    let document = merged().unwrap();
    let documented = document["paths"].as_object().unwrap().keys().map(String::as_str);
    let paths: Vec<&str> = documented.chain(SHORT_NAMES.map(|(_, path)| path)).collect();
    for (prefix, _) in ROUTES {
        let below = |path: &&str| {
            path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(paths.iter().any(below), "{prefix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_is_documented_is_there() {
    let stage = Stage::set().await;
    let (ingest, _, _running) = ingest(&stage).await;
    let gateway = Gateway::with(stage.settings(ingest));
    let document = merged().unwrap();
    let documented = operations(&document).map(|(name, _)| {
        let (method, path) = name.split_once(' ').unwrap();
        (method.to_uppercase(), path.to_owned())
    });
    let short = SHORT_NAMES.map(|(method, path)| (method.to_owned(), path.to_owned()));
    let mut asked = 0;
    for (method, path) in documented.chain(short) {
        let path = filled_in(&path);
        let request = client().request(method.parse().unwrap(), gateway.url(&path));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let said = answer.text().await.unwrap();
        assert_ne!(status, 405, "{method} {path}: {said}");
        assert!(!said.contains(&format!("there is no {method} {path}")), "{method} {path}: {said}");
        assert!(status != 404 || said.contains("urn:millrace:problem:"), "{method} {path}: {said}");
        asked += 1;
    }
    assert!(asked > 100, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_documented_says_which_methods_it_has() {
    let stage = Stage::set().await;
    let (ingest, _, _running) = ingest(&stage).await;
    let gateway = Gateway::with(stage.settings(ingest));
    let document = merged().unwrap();
    let passed_on = |path: &&String| !path.starts_with("/api/v1/health/");
    for (path, item) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| passed_on(path)) {
        let request = client().request("PROPFIND".parse().unwrap(), gateway.url(&filled_in(path)));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 405, "{path}");
        let allow = answer.headers()["allow"].to_str().unwrap();
        for method in item.as_object().unwrap().keys() {
            assert!(
                allow.split(", ").any(|allowed| allowed == method.to_uppercase()),
                "{method} {path}: {allow}"
            );
        }
    }
    let keys = client().head(gateway.url("/.well-known/jwks.json")).send().await.unwrap();
    assert_eq!(keys.status(), 200, "HEAD is answered where GET is");
    assert_ne!(keys.headers()["content-length"], "0");
    assert!(keys.bytes().await.unwrap().is_empty());
}

/// A path with something in place of each parameter.
fn filled_in(path: &str) -> String {
    let fill = |part: &str| match part {
        "{service}" => "ingest".to_owned(),
        "{kind}" => "track".to_owned(),
        part if part.starts_with('{') => "01939c1e-6f10-7d02-8a55-3b0c9d4e7f61".to_owned(),
        part => part.to_owned(),
    };
    path.split('/').map(fill).collect::<Vec<_>>().join("/")
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
