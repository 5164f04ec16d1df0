//! The published document, pinned: a change to the API is a change to a file that reviewers see.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;
use millrace_domain::access::Role;
use millrace_domain::ids::ProjectId;
use millrace_domain::json_type::JsonType;
use millrace_storage::event_properties::{self, Property, Seen};
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::people::Person;
use crate::stage::Stage;

fn document() -> String {
    millrace_analytics::routes::openapi().to_pretty_json().unwrap() + "\n"
}

#[test]
fn openapi_document() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/analytics.json");
    if std::env::var_os("MILLRACE_WRITE_OPENAPI").is_some() {
        std::fs::write(path, document()).unwrap();
    }
    let pinned = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        pinned == document(),
        "docs/openapi/analytics.json differs from the routes: run `make openapi` and look at it"
    );
}

#[test]
fn every_operation_explains_itself() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for text in ["summary", "description", "operationId"] {
                assert!(
                    operation[text].as_str().is_some_and(|text| !text.is_empty()),
                    "{method} {path}: {text}"
                );
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
            let expected: &[&str] = match operation["tags"][0].as_str().unwrap() {
                "shared" => &["200", "304", "401", "429", "503"],
                _ if asks(operation) => &["200", "304", "401", "403", "404", "422", "503"],
                _ => &["401", "403", "404", "422", "503"],
            };
            for status in expected {
                assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn a_cohort_may_be_as_large_as_is_said() {
    let document: Value = serde_json::from_str(&document()).unwrap();
    let (create, change) =
        (&document["paths"]["/api/v1/cohorts"]["post"], &document["paths"]["/api/v1/cohorts/{id}"]["patch"]);
    for operation in [create, change] {
        assert_eq!(operation["responses"]["413"]["description"], "The body has more than 4 MiB");
    }
}

/// Whether it is a question about events, and not about what people keep.
fn asks(operation: &Value) -> bool {
    let others = ["cohorts", "insights", "dashboards", "alerts", "shared", "sql"];
    !others.iter().any(|kept| operation["tags"] == json!([kept]))
}

/// The names of the fields, all the way down; of an array, those of its first element.
fn fields(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(format!("{prefix}.{name}"));
                fields(&format!("{prefix}.{name}"), value, found);
            }
        }
        Value::Array(elements) => elements.first().into_iter().for_each(|first| fields(prefix, first, found)),
        _ => {}
    }
}

/// As the worker does.
async fn notice(stage: &Stage, project: ProjectId, event_type: &str, name: &str, json_type: JsonType) {
    let property = Property { project, event_type: event_type.to_owned(), name: name.to_owned(), json_type };
    let seen = BTreeMap::from([(property, Seen { first: Utc::now(), last: Utc::now() })]);
    event_properties::note(&mut *stage.connection().await, &seen).await.unwrap();
}

#[actix_web::test]
async fn the_examples_look_like_answers() {
    let stage = Stage::set().await;
    let project = stage.project("Europe/Paris").await;
    tell(
        &mut stage.teller(),
        &project,
        &[did("ada", "visit", "2026-11-01T12:00:00Z").with(json!({"plan": "pro"}))],
    )
    .await;
    notice(&stage, project.id, "visit", "page", JsonType::String).await;
    let editor = Person::member(&stage, project.id, "editor", Role::Editor).await;
    let everybody = json!({"name": "Everybody", "definition": {"did": {}}});
    let cohort = editor.post(&stage, "/api/v1/cohorts", everybody).await.good().id();
    let document: Value = serde_json::from_str(&document()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    for (path, item) in paths.filter(|(_, item)| item.as_object().unwrap().values().all(asks)) {
        let (operation, answer) = if item["post"].is_object() {
            let asked = &item["post"]["requestBody"]["content"]["application/json"]["example"];
            (&item["post"], stage.answer(&project, asked).await.body)
        } else {
            let dates = if path.contains("/stats/") { "?from=2026-11-01&to=2026-11-01" } else { "" };
            let path = path.replace("{user_id}", "ada").replace("{id}", &cohort);
            (&item["get"], stage.ask(&project, &format!("{path}{dates}")).await.body)
        };
        let example = &operation["responses"]["200"]["content"]["application/json"]["example"];
        let (mut documented, mut real) = (BTreeSet::new(), BTreeSet::new());
        fields("", example, &mut documented);
        fields("", &answer, &mut real);
        assert_eq!(documented, real, "{path}");
    }
}
