//! One description of the whole API, put together from what the services say of theirs. Each service holds its own to
//! the routes it has; they are committed, and built in here, so that it describes the version it came with.

use serde_json::{Map, Value, json};

use crate::sockets::document::document;
use crate::upstreams::{Upstream, liveness};

/// What the services publish.
const DOCUMENTS: [&str; 3] = [
    include_str!("../../../docs/openapi/ingest.json"),
    include_str!("../../../docs/openapi/analytics.json"),
    include_str!("../../../docs/openapi/auth.json"),
];
/// What the gateway may answer in the place of any service.
const OWN_ANSWERS: [(&str, &str); 10] = [
    ("400", "The request cannot be read, or could be read in two ways"),
    ("404", "There is nothing here"),
    ("405", "The path has other methods, which `Allow` names"),
    ("408", "The request did not arrive in time"),
    ("413", "The body is too large"),
    ("429", "Too many requests; try again after `Retry-After`"),
    ("431", "The headers are too large"),
    ("502", "The answer of the service cannot be passed on"),
    ("503", "The service is unavailable; try again after `Retry-After`"),
    ("504", "The service did not answer in time; it may have done what was asked"),
];

/// Two services mean different things by a name, or a document is none.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON.
    #[error("a service's document is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It has no such part.
    #[error("a service's document has no {0}")]
    Missing(&'static str),
    /// The same name for different things.
    #[error("two services describe `{0}` differently")]
    Ambiguous(String),
}

/// The description of all that the gateway passes on.
///
/// # Errors
/// When the services' descriptions do not go together.
pub fn merged() -> Result<Value, DocumentError> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let (mut security_schemes, mut tags) = (Map::new(), Vec::new());
    let services = DOCUMENTS.iter().map(|text| serde_json::from_str(text));
    for document in services.chain([serde_json::to_value(document())]) {
        let mut document: Value = document?;
        let security = document.get("security").cloned();
        let mut its_paths = take(&mut document, "/paths").ok_or(DocumentError::Missing("paths"))?;
        for operation in its_paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
            complete(operation, security.as_ref());
        }
        add(&mut paths, its_paths)?;
        add(&mut schemas, take(&mut document, "/components/schemas").unwrap_or_default())?;
        add(&mut security_schemes, take(&mut document, "/components/securitySchemes").unwrap_or_default())?;
        tags.extend(document.get("tags").and_then(Value::as_array).into_iter().flatten().cloned());
    }
    let mut operation = alive();
    complete(&mut operation, None);
    add(
        &mut paths,
        Map::from_iter([(liveness::through_the_gateway("{service}"), json!({"get": operation}))]),
    )?;
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Millrace",
            "description": "Events in, exact answers out. Errors are `application/problem+json` (RFC 9457). Answers carry \
                `X-Request-Id`, and those that are counted `RateLimit-Policy` and `RateLimit`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": security_schemes},
    }))
}

/// What the gateway says of the services behind it.
fn alive() -> Value {
    let names = Upstream::ALL.map(Upstream::name);
    json!({
        "tags": ["operations"],
        "summary": "Whether a service is alive",
        "description": "Asked of the service itself, on the way that all requests take.",
        "operationId": "service_liveness",
        "parameters": [{
            "name": "service", "in": "path", "required": true,
            "schema": {"type": "string", "enum": names}, "example": "ingest",
        }],
        "responses": {"200": {
            "description": "It is",
            "content": {"application/json": {"schema": {
                "type": "object", "required": ["status"], "properties": {"status": {"type": "string", "example": "ok"}},
            }}},
        }},
        "security": [],
    })
}

/// Adds to an operation what holds for all of its document, and what the gateway may answer.
fn complete(operation: &mut Value, security: Option<&Value>) {
    let Some(operation) = operation.as_object_mut() else { return };
    if let Some(security) = security {
        operation.entry("security").or_insert_with(|| security.clone());
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    if let Some(responses) = responses.as_object_mut() {
        for (status, description) in OWN_ANSWERS {
            responses.entry(status).or_insert_with(|| {
                let schema = json!({"$ref": "#/components/schemas/ProblemBody"});
                json!({"description": description, "content": {"application/problem+json": {"schema": schema}}})
            });
        }
    }
}

fn take(document: &mut Value, pointer: &str) -> Option<Map<String, Value>> {
    match document.pointer_mut(pointer).map(Value::take) {
        Some(Value::Object(members)) => Some(members),
        _ => None,
    }
}

fn add(all: &mut Map<String, Value>, some: Map<String, Value>) -> Result<(), DocumentError> {
    for (name, value) in some {
        if all.get(&name).is_some_and(|known| *known != value) {
            return Err(DocumentError::Ambiguous(name));
        }
        all.insert(name, value);
    }
    Ok(())
}
