//! The audit log, from the requests to the chain.

use chrono::Utc;
use millrace_domain::access::Role;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Origin, SecurityEvent};
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_messaging::{consumer, subjects};
use millrace_storage::audit::chain::verify;
use millrace_storage::audit::{Entry, Filter};
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{PASSWORD, Person, Stage, answer};

mod delivery;
mod reading;

const LOGIN: &str = "/api/v1/auth/login";

impl Stage {
    /// All entries, oldest first.
    async fn entries(&self) -> Vec<Entry> {
        let mut store = self.store().await;
        let mut entries =
            millrace_storage::audit::page(&mut store, &Filter::default(), None, 10_000).await.unwrap();
        entries.reverse();
        entries
    }

    async fn actions(&self) -> Vec<String> {
        self.entries().await.into_iter().map(|entry| entry.action).collect()
    }

    async fn has_recorded(&self, entries: usize) {
        wait::until("everything is in the audit log", async || self.entries().await.len() >= entries).await;
    }

    /// That the stream is empty: whatever was published is in the log.
    async fn has_taken_all_in(&self) {
        let broker = self.broker().await;
        wait::until("the stream is empty", async || {
            consumer::backlog(&broker, subjects::AUDIT_STREAM)
                .await
                .is_ok_and(|backlog| backlog.messages == 0)
        })
        .await;
    }

    async fn is_one_chain_of(&self, entries: i64) {
        assert_eq!(verify(&mut *self.store().await, None).await.unwrap().seq, entries);
    }

    /// That auth has all its servers again.
    async fn is_well(&self) {
        wait::until("auth is well", async || {
            answer(self.to(Method::GET, "/health")).await.1["status"] == "ok"
        })
        .await;
    }

    async fn metrics(&self) -> String {
        self.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap()
    }

    /// The `data` of a page of the audit log.
    async fn audit(&self, person: &Person, query: &str) -> Vec<Value> {
        let (status, page) = self.get(&format!("/api/v1/audit?{query}"), person).await;
        assert_eq!(status, 200, "{query}: {page}");
        page["data"].as_array().unwrap().clone()
    }

    /// Somebody who registers over the API.
    async fn register(&self, name: &str) -> Person {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "password": PASSWORD});
        let (status, granted) = answer(self.to(Method::POST, "/api/v1/auth/register").json(&body)).await;
        assert_eq!(status, 201, "{granted}");
        let id = AccountId(granted["id"].as_str().unwrap().parse().unwrap());
        Person { id, email, ..Person::granted(&granted) }
    }
}

fn anonymous(action: Action) -> SecurityEvent {
    SecurityEvent::new(action, Actor::Anonymous, Origin::default(), Utc::now())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn every_action_of_a_story_is_recorded_once_and_no_secret_with_it() {
    let stage = Stage::set().await;
    let ada = stage.register("ada").await;
    let bob = stage.register("bob").await;
    let mut secrets = vec![PASSWORD.to_owned(), "hunter2-wrong".to_owned(), "typed-as-address".to_owned()];
    let post = async |path: &str, person: &Person, body: Value, expected: u16| {
        let (status, answered) = stage.post(path, person, body).await;
        assert_eq!(status, expected, "{path}: {answered}");
        answered
    };

    assert_eq!(stage.login(&ada.email, "hunter2-wrong").await.0, 401);
    assert_eq!(stage.login("typed-as-address", "hunter2-wrong").await.0, 401);
    let elsewhere = Person::granted(&stage.login(&ada.email, PASSWORD).await.1);
    let project = post("/api/v1/projects", &ada, json!({"name": "Shop"}), 201).await;
    let project = format!("/api/v1/projects/{}", text(&project["id"]));
    let members = format!("{project}/members");
    post(&members, &ada, json!({"email": bob.email, "role": "viewer"}), 201).await;
    post(&format!("{project}/keys"), &bob, json!({"name": "k", "scopes": ["read"]}), 403).await;
    let bobs = format!("{members}/{}", bob.id);
    let change = stage.to(Method::PATCH, &bobs).bearer_auth(&ada.access).json(&json!({"role": "admin"}));
    assert_eq!(answer(change).await.0, 200);
    post(&members, &bob, json!({"email": ada.email, "role": "owner"}), 403).await;
    let key = post(&format!("{project}/keys"), &bob, json!({"name": "k", "scopes": ["read"]}), 201).await;
    let old = format!("{project}/keys/{}", text(&key["id"]));
    let new = post(&format!("{old}/rotate"), &bob, json!({}), 201).await;
    assert_eq!(stage.delete(&old, &ada).await, 204);
    assert_eq!(stage.delete(&bobs, &bob).await, 204, "bob leaves");

    let body = json!({"current_password": "hunter2-wrong", "new_password": "staple fixture orbit"});
    post("/api/v1/auth/password", &ada, body, 422).await;
    let body = json!({"refresh_token": elsewhere.refresh});
    let refresh = async || answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&body)).await;
    let (first, second) = (refresh().await.1, refresh().await.1);
    let third = json!({"refresh_token": second["refresh_token"]});
    let (_, third) = answer(stage.to(Method::POST, "/api/v1/auth/refresh").json(&third)).await;
    assert_eq!(refresh().await.0, 401, "it was replaced, and its successor was used");
    let other = Person::granted(&stage.login(&ada.email, PASSWORD).await.1);
    let (_, list) = stage.get("/api/v1/auth/sessions", &ada).await;
    let another =
        list["data"].as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    assert_eq!(stage.delete(&format!("/api/v1/auth/sessions/{}", text(&another["id"])), &ada).await, 204);
    let body = json!({"current_password": PASSWORD, "new_password": "staple fixture orbit"});
    let changed = stage.to(Method::POST, "/api/v1/auth/password").bearer_auth(&ada.access).json(&body);
    assert_eq!(answer(changed).await.0, 204);
    let out = stage.to(Method::POST, "/api/v1/auth/logout").bearer_auth(&ada.access);
    assert_eq!(answer(out).await.0, 204);
    // Ada has failed once since she last succeeded.
    for host in 0..4 {
        let request = stage.to(Method::POST, LOGIN).header("x-forwarded-for", format!("192.0.2.{host}"));
        assert_eq!(answer(request.json(&json!({"email": ada.email, "password": "x"}))).await.0, 401);
    }
    let request = stage.to(Method::POST, LOGIN).header("x-forwarded-for", "192.0.2.9");
    assert_eq!(answer(request.json(&json!({"email": ada.email, "password": "x"}))).await.0, 401);
    for _ in 0..3 {
        assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 429);
    }

    let expected = [
        "account.registered",
        "account.registered",
        "login.failed",
        "login.failed",
        "login.succeeded",
        "project.created",
        "member.added",
        "access.denied",
        "member.changed",
        "access.denied",
        "api_key.created",
        "api_key.rotated",
        "api_key.revoked",
        "member.removed",
        "password.change_failed",
        "refresh_token.reused",
        "login.succeeded",
        "session.ended",
        "password.changed",
        "session.signed_out",
        "login.failed",
        "login.failed",
        "login.failed",
        "login.failed",
        "login.failed",
        "login.locked",
    ];
    stage.has_recorded(expected.len()).await;
    stage.has_taken_all_in().await;
    assert_eq!(stage.actions().await, expected);
    stage.is_one_chain_of(26).await;

    for person in [&ada, &bob, &elsewhere, &other] {
        secrets.extend([person.access.clone(), person.refresh.clone()]);
    }
    for granted in [&first, &second, &third] {
        secrets.extend([text(&granted["access_token"]), text(&granted["refresh_token"])]);
    }
    secrets.extend([text(&key["secret"]), text(&new["secret"]), "staple fixture orbit".to_owned()]);
    secrets.extend(["@example.com".to_owned(), "$2b$".to_owned()]);
    let client = stage.database.client().await;
    let rows: String = client
        .query_one("SELECT string_agg(audit_log::text, E'\\n') FROM audit_log", &[])
        .await
        .unwrap()
        .get(0);
    for secret in secrets {
        assert!(!rows.contains(&secret), "{secret} is in the audit log: {rows}");
    }
}

#[actix_web::test]
async fn an_entry_says_who_did_what_to_what_from_where() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    let request =
        stage.to(Method::POST, &format!("/api/v1/projects/{project}/members")).bearer_auth(&ada.access);
    let request = request.header("x-forwarded-for", "192.0.2.7").header("x-request-id", "checkout-7");
    let request = request.header("user-agent", "x".repeat(500));
    let (status, _) = answer(request.json(&json!({"email": bob.email, "role": "viewer"}))).await;
    assert_eq!(status, 201);
    let keys = format!("/api/v1/projects/{project}/keys/{}", ProjectId::new());
    assert_eq!(stage.delete(&keys, &bob).await, 403);
    stage.has_recorded(4).await;

    let query = format!("project_id={project}");
    let entries = stage.audit(&ada, &query).await;
    let (denied, added) = (&entries[0], &entries[1]);
    let account = |person: &Person| json!({"kind": "account", "id": person.id});
    assert_eq!((&added["action"], &added["outcome"]), (&json!("member.added"), &json!("success")));
    assert_eq!((&added["actor"], &added["target"]), (&account(&ada), &account(&bob)));
    assert_eq!((&added["address"], &added["request_id"]), (&json!("192.0.2.7"), &json!("checkout-7")));
    assert_eq!((&added["user_agent"], &added["project_id"]), (&json!("x".repeat(200)), &json!(project)));
    assert_eq!(added["details"], json!({"role": "viewer"}));
    assert_eq!((&denied["action"], &denied["outcome"]), (&json!("access.denied"), &json!("denied")));
    assert_eq!((&denied["actor"], &denied["target"]["kind"]), (&account(&bob), &json!("project")));
    let endpoint = "DELETE /api/v1/projects/{id}/keys/{key_id}";
    assert_eq!(denied["details"], json!({"role": "viewer", "needed_role": "admin", "endpoint": endpoint}));
    assert_eq!(denied["prev_hash"], added["hash"]);
}

#[actix_web::test]
async fn a_failed_sign_in_names_the_account_if_there_is_one() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    for email in ["ADA@example.com ", "nobody@example.com"] {
        assert_eq!(stage.login(email, "wrong").await.0, 401);
    }
    stage.has_recorded(3).await;
    let entries = stage.entries().await;
    let seen: Vec<_> =
        entries.iter().skip(1).map(|entry| (entry.actor_id, entry.target_id.clone())).collect();
    assert_eq!(seen, [(None, Some(ada.id.to_string())), (None, None)]);
}
