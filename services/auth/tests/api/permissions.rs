//! Who may do what: every route for every kind of caller.

use std::collections::BTreeSet;

use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::{JobId, KeyId, ProjectId, SessionId};
use millrace_domain::jobs::task::Task;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::{jobs, members};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

/// Who calls, in the order of the table's columns.
const CALLERS: [&str; 8] = ["nobody", "key", "stranger", "viewer", "editor", "admin", "owner", "system"];

const PUBLIC: fn(u16) -> [u16; 8] = |status| [status; 8];
const PEOPLE: fn(u16) -> [u16; 8] = |ok| [401, 403, ok, ok, ok, ok, ok, ok];
const MEMBERS: fn(u16) -> [u16; 8] = |ok| [401, 403, 404, ok, ok, ok, ok, ok];
const OWNERS: fn(u16) -> [u16; 8] = |ok| [401, 403, 404, 403, 403, 403, ok, ok];
const ADMINS: fn(u16) -> [u16; 8] = |ok| [401, 403, 404, 403, 403, ok, ok, ok];

/// Method, path, body, and the status for each caller. `{}` as a body that lacks everything shows that somebody gets as
/// far as the body.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, &'static str, Value, [u16; 8])> {
    vec![
        ("GET", "/.well-known/jwks.json", Value::Null, PUBLIC(200)),
        ("POST", "/api/v1/auth/login", json!({}), PUBLIC(422)),
        ("POST", "/api/v1/auth/register", json!({}), PUBLIC(422)),
        ("POST", "/api/v1/auth/refresh", json!({"refresh_token": "mrr_unknown"}), PUBLIC(401)),
        ("GET", "/api/v1/auth/me", Value::Null, PEOPLE(200)),
        ("GET", "/api/v1/auth/verify", Value::Null, PEOPLE(200)),
        ("GET", "/api/v1/auth/csrf", Value::Null, PEOPLE(200)),
        ("POST", "/api/v1/auth/password", json!({}), PEOPLE(422)),
        ("POST", "/api/v1/auth/password/forgot", json!({}), PUBLIC(422)),
        ("POST", "/api/v1/auth/password/reset", json!({}), PUBLIC(422)),
        ("POST", "/api/v1/auth/email/verify", json!({}), PUBLIC(422)),
        ("POST", "/api/v1/auth/email/verify/resend", Value::Null, PEOPLE(409)),
        ("POST", "/api/v1/auth/email", json!({}), PEOPLE(422)),
        ("POST", "/api/v1/auth/logout", Value::Null, PEOPLE(204)),
        ("GET", "/api/v1/auth/sessions", Value::Null, PEOPLE(200)),
        ("DELETE", "/api/v1/auth/sessions/{id}", Value::Null, PEOPLE(404)),
        ("GET", "/api/v1/auth/google", Value::Null, PUBLIC(404)),
        ("GET", "/api/v1/auth/google/callback", Value::Null, PUBLIC(404)),
        ("GET", "/api/v1/auth/oidc/provider", Value::Null, PUBLIC(404)),
        ("GET", "/api/v1/auth/identities", Value::Null, PEOPLE(200)),
        ("DELETE", "/api/v1/auth/identities/{id}", Value::Null, PEOPLE(404)),
        ("GET", "/api/v1/projects", Value::Null, PEOPLE(200)),
        ("POST", "/api/v1/projects", json!({"name": "Another"}), PEOPLE(201)),
        ("GET", "/api/v1/projects/{id}", Value::Null, MEMBERS(200)),
        ("GET", "/api/v1/projects/{id}/settings", Value::Null, MEMBERS(200)),
        ("PATCH", "/api/v1/projects/{id}/settings", json!({"event_origins": ["*"]}), ADMINS(200)),
        ("PATCH", "/api/v1/projects/{id}", json!({"name": "Renamed"}), OWNERS(200)),
        ("GET", "/api/v1/projects/{id}/members", Value::Null, MEMBERS(200)),
        ("POST", "/api/v1/projects/{id}/members", json!({"email": "newcomer@example.com", "role": "viewer"}), ADMINS(201)),
        ("PATCH", "/api/v1/projects/{id}/members/{account_id}", json!({"role": "editor"}), ADMINS(200)),
        ("DELETE", "/api/v1/projects/{id}/members/{account_id}", Value::Null, ADMINS(204)),
        ("GET", "/api/v1/projects/{id}/keys", Value::Null, ADMINS(200)),
        ("POST", "/api/v1/projects/{id}/keys", json!({"name": "k", "scopes": ["read"]}), ADMINS(201)),
        ("POST", "/api/v1/projects/{id}/keys/{key_id}/rotate", json!({}), ADMINS(201)),
        ("DELETE", "/api/v1/projects/{id}/keys/{key_id}", Value::Null, ADMINS(204)),
        ("GET", "/api/v1/jobs", Value::Null, MEMBERS(200)),
        ("POST", "/api/v1/jobs", json!({"kind": "rebuild"}), ADMINS(202)),
        // Without a place for files nobody imports.
        ("POST", "/api/v1/jobs/import", Value::Null, [401, 403, 404, 403, 503, 503, 503, 503]),
        ("GET", "/api/v1/jobs/{id}", Value::Null, MEMBERS(200)),
        ("POST", "/api/v1/jobs/{id}/cancel", Value::Null, ADMINS(202)),
        ("POST", "/api/v1/jobs/{id}/resume", Value::Null, ADMINS(409)),
        ("GET", "/api/v1/jobs/{id}/download", Value::Null, MEMBERS(503)),
        ("GET", "/api/v1/schema/{event_type}", Value::Null, MEMBERS(404)),
        ("DELETE", "/api/v1/schema/{event_type}", Value::Null, ADMINS(404)),
        ("PUT", "/api/v1/schema/{event_type}", json!({}), ADMINS(200)),
        ("GET", "/api/v1/audit", Value::Null, [401, 403, 403, 403, 403, 403, 403, 200]),
        ("GET", "/api/v1/dead-letters", Value::Null, [401, 403, 403, 403, 403, 403, 403, 200]),
        ("DELETE", "/api/v1/dead-letters", Value::Null, [401, 403, 403, 403, 403, 403, 403, 422]),
        ("POST", "/api/v1/dead-letters/replay", json!({}), PEOPLE(422)),
        ("GET", "/api/v1/dead-letters/{id}", Value::Null, PEOPLE(404)),
        ("POST", "/api/v1/dead-letters/{id}/replay", Value::Null, PEOPLE(404)),
        ("DELETE", "/api/v1/dead-letters/{id}", Value::Null, PEOPLE(404)),
    ]
}

/// A project with somebody in every role, and what the routes do something to.
struct House {
    stage: Stage,
    database: Database,
    project: ProjectId,
    callers: Vec<Option<Person>>,
    key: ApiKey,
    victim: Person,
    newcomer: Person,
}

impl House {
    async fn build() -> Self {
        let stage = Stage::set().await;
        let owner = stage.person("owner").await;
        let project = stage.project_of(&owner, Role::Owner).await;
        let mut store = stage.store().await;
        let mut callers = vec![None, None, Some(stage.person("stranger").await)];
        for role in [Role::Viewer, Role::Editor, Role::Admin] {
            let person = stage.person(role.as_str()).await;
            members::set(&mut store, project, person.id, role).await.unwrap();
            callers.push(Some(person));
        }
        callers.extend([Some(owner), Some(stage.system_admin("system").await)]);
        let key = ApiKey::generate().unwrap();
        let (victim, newcomer) = (stage.person("victim").await, stage.person("newcomer").await);
        let database = Database::new(&stage.database.url(), PoolSettings::named("test")).unwrap();
        let house = Self { stage, database, project, callers, key, victim, newcomer };
        house.store_key(&house.key).await;
        house
    }

    async fn store_key(&self, key: &ApiKey) -> KeyId {
        let scopes = &[Scope::Ingest, Scope::Read];
        let new = NewApiKey { name: "k", hash: &key.hash().0, shown: key.shown(), scopes, expires_at: None };
        let mut store = self.database.connection().await.unwrap();
        api_keys::create(&mut store, self.project, new).await.unwrap().id
    }

    /// The path of a route, to something that is there for this one request.
    async fn path(&self, template: &str) -> String {
        let mut store = self.database.connection().await.unwrap();
        members::set(&mut store, self.project, self.victim.id, Role::Viewer).await.unwrap();
        let guest = self.newcomer.id;
        members::change(&mut store, self.project, guest, None, Role::Owner).await.unwrap();
        let id = if template.contains("sessions") {
            SessionId::new().to_string()
        } else if template.contains("jobs") {
            let id = JobId::new();
            jobs::create(&mut store, id, Some(self.project), &Task::Rebuild, None).await.unwrap();
            id.to_string()
        } else {
            self.project.to_string()
        };
        let key_id = self.store_key(&ApiKey::generate().unwrap()).await;
        template
            .replace("{id}", &id)
            .replace("{account_id}", &self.victim.id.to_string())
            .replace("{key_id}", &key_id.to_string())
            .replace("{event_type}", "login")
    }

    /// What a caller shows: signed in anew, because some routes end the session.
    async fn credentials(&self, caller: usize) -> Option<String> {
        match &self.callers[caller] {
            Some(person) => {
                let (status, granted) = self.stage.login(&person.email, PASSWORD).await;
                assert_eq!(status, 200, "{granted}");
                Some(granted["access_token"].as_str().unwrap().to_owned())
            }
            None => (CALLERS[caller] == "key").then(|| self.key.reveal().to_owned()),
        }
    }
}

#[actix_web::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let house = House::build().await;
    let mut wrong = Vec::new();
    for (method, template, body, expected) in table() {
        for (caller, expected) in expected.into_iter().enumerate() {
            let path = house.path(template).await;
            let mut request = house.stage.to(method.parse::<Method>().unwrap(), &path);
            if let Some(credentials) = house.credentials(caller).await {
                request = request.bearer_auth(credentials);
            }
            // By now most of them have several projects.
            if template.contains("jobs") || template.contains("schema") {
                request = request.header("X-Project-Id", house.project.to_string());
            }
            if !body.is_null() {
                request = request.json(&body);
            }
            let (status, said) = answer(request).await;
            if status != expected {
                let who = CALLERS[caller];
                wrong.push(format!("{method} {template} as {who}: {status}, not {expected}: {said}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_route_is_forgotten() {
    let document = serde_json::to_value(millrace_auth::routes::openapi()).unwrap();
    let published = document["paths"].as_object().unwrap().iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path.clone()))
    });
    let table = table();
    let listed = table.iter().map(|(method, path, ..)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(listed.collect::<BTreeSet<_>>(), published.collect::<BTreeSet<_>>());
}
