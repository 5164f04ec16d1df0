//! With a server away.

use millrace_domain::access::Role;
use millrace_messaging::keys::KeyResolver;
use millrace_storage::api_keys;
use millrace_testkit::wait;
use reqwest::Method;
use reqwest::header::RETRY_AFTER;
use serde_json::json;

use crate::stage::{PASSWORD, Stage, answer};

#[actix_web::test]
async fn with_the_database_away_nobody_is_refused_and_nobody_is_let_in() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let resolver = KeyResolver::new(stage.broker().await);
    wait::until("auth answers", async || resolver.resolve([0; 32]).await.is_ok()).await;

    stage.database_wire.cut();
    let body = json!({"email": ada.email, "password": PASSWORD});
    let response = stage.to(Method::POST, "/api/v1/auth/login").json(&body).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().contains_key(RETRY_AFTER)), (503, true));
    let (status, problem) = stage.get("/api/v1/auth/me", &ada).await;
    assert_eq!((status, &problem["code"]), (503, &json!("unavailable")));
    assert!(!problem.to_string().contains("127.0.0.1"), "the cause is for the log: {problem}");
    let error = resolver.resolve([1; 32]).await.unwrap_err().to_string();
    assert!(error.contains("auth.v1.key.resolve"), "{error}");
    let (status, health) = answer(stage.to(Method::GET, "/health/ready")).await;
    assert_eq!((status, &health["dependencies"][0]["name"]), (503, &json!("postgres")));
    assert_eq!(answer(stage.to(Method::GET, "/health/live")).await.0, 200);

    stage.database_wire.mend();
    wait::until("people can sign in", async || stage.login(&ada.email, PASSWORD).await.0 == 200).await;
    assert!(resolver.resolve([1; 32]).await.unwrap().is_none());
}

#[actix_web::test]
async fn with_the_broker_away_a_revocation_is_done_and_counted() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let keys = format!("/api/v1/projects/{project}/keys");
    let (_, key) = stage.post(&keys, &ada, json!({"name": "k", "scopes": ["read"]})).await;

    stage.nats_wire.cut();
    assert_eq!(stage.delete(&format!("{keys}/{}", key["id"].as_str().unwrap()), &ada).await, 204);
    let mut store = stage.store().await;
    let stored = api_keys::of_project(&mut store, project).await.unwrap();
    assert!(stored[0].revoked_at.is_some());
    let metrics = stage.to(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("auth_announcements_failed_total"), "{metrics}");
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200, "people sign in all the same");
    let health = async || answer(stage.to(Method::GET, "/health")).await.1["status"].clone();
    wait::until("auth says that it is degraded", async || health().await == "degraded").await;
    assert_eq!(answer(stage.to(Method::GET, "/health/ready")).await.0, 200);

    stage.nats_wire.mend();
    wait::until("auth is whole again", async || health().await == "ok").await;
}
