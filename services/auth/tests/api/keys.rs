use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_messaging::keys::KeyResolver;
use millrace_security::api_key::ApiKey;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::stage::{Person, Stage};

impl Stage {
    /// Creates a key over the API; its id and its secret.
    async fn key(&self, project: ProjectId, person: &Person, body: Value) -> (String, ApiKey) {
        let (status, key) = self.post(&format!("/api/v1/projects/{project}/keys"), person, body).await;
        assert_eq!(status, 201, "{key}");
        let secret = ApiKey::parse(key["secret"].as_str().unwrap()).unwrap();
        (key["id"].as_str().unwrap().to_owned(), secret)
    }

    /// A resolver as other services have one, listening to revocations.
    async fn resolver(&self) -> KeyResolver {
        let resolver = KeyResolver::new(self.broker().await);
        tokio::spawn(resolver.clone().listen(CancellationToken::new()));
        // Auth answers on the broker a moment after it listens.
        wait::until("auth answers", async || resolver.resolve([0; 32]).await.is_ok()).await;
        resolver
    }
}

#[actix_web::test]
async fn the_secret_is_shown_once_and_opens_the_project() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Admin).await;
    let body = json!({"name": "web shop", "scopes": ["read", "ingest", "read"]});
    let (id, secret) = stage.key(project, &ada, body).await;

    let (_, list) = stage.get(&format!("/api/v1/projects/{project}/keys"), &ada).await;
    let shown = &list["data"][0];
    assert_eq!((&shown["id"], &shown["name"]), (&json!(id), &json!("web shop")));
    assert_eq!((&shown["scopes"], &shown["revoked_at"]), (&json!(["ingest", "read"]), &Value::Null));
    assert_eq!(shown["shown"], secret.shown());
    assert!(!list.to_string().contains(secret.reveal()));

    let grant = stage.resolver().await.resolve(secret.hash().0).await.unwrap().unwrap();
    assert_eq!((grant.project_id, grant.key_id.to_string()), (project, id));
    assert_eq!(grant.scopes, [Scope::Ingest, Scope::Read]);
}

#[actix_web::test]
async fn a_revoked_key_is_forgotten_everywhere_within_a_second() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let (id, secret) = stage.key(project, &ada, json!({"name": "k", "scopes": ["ingest"]})).await;
    let resolver = stage.resolver().await;
    let hash = secret.hash().0;
    // Until what was remembered is believed: the resolver forgets once when it connects.
    wait::until("the key is known", async || resolver.resolve(hash).await.is_ok_and(|grant| grant.is_some()))
        .await;

    let path = format!("/api/v1/projects/{project}/keys/{id}");
    assert_eq!(stage.delete(&path, &ada).await, 204);
    let revoked = Instant::now();
    wait::until("the key is forgotten", async || resolver.resolve(hash).await.unwrap().is_none()).await;
    assert!(revoked.elapsed() < Duration::from_secs(1), "it took {:?}", revoked.elapsed());

    assert_eq!(stage.delete(&path, &ada).await, 404, "it is revoked already");
    let (_, list) = stage.get(&format!("/api/v1/projects/{project}/keys"), &ada).await;
    assert!(list["data"][0]["revoked_at"].is_string(), "{list}");
}

#[actix_web::test]
async fn an_expired_key_opens_nothing() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let resolver = stage.resolver().await;
    let soon = Utc::now() + TimeDelta::seconds(60);
    let (_, secret) =
        stage.key(project, &ada, json!({"name": "k", "scopes": ["read"], "expires_at": soon})).await;
    assert!(resolver.resolve(secret.hash().0).await.unwrap().is_some());

    let (id, past) =
        stage.key(project, &ada, json!({"name": "k", "scopes": ["read"], "expires_at": soon})).await;
    let client = stage.database.client().await;
    let expire = "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1";
    let id: uuid::Uuid = id.parse().unwrap();
    assert_eq!(client.execute(expire, &[&id]).await.unwrap(), 1);
    assert!(resolver.resolve(past.hash().0).await.unwrap().is_none());
}

#[actix_web::test]
async fn members_below_admin_do_not_manage_keys() {
    let stage = Stage::set().await;
    for (name, role) in [("viewer", Role::Viewer), ("editor", Role::Editor)] {
        let person = stage.person(name).await;
        let project = stage.project_of(&person, role).await;
        let path = format!("/api/v1/projects/{project}/keys");
        assert_eq!(stage.get(&format!("/api/v1/projects/{project}"), &person).await.0, 200);
        let (status, problem) = stage.post(&path, &person, json!({"name": "k", "scopes": ["read"]})).await;
        assert_eq!(status, 403);
        assert!(problem["detail"].as_str().unwrap().contains(role.as_str()), "{problem}");
        assert_eq!(stage.get(&path, &person).await.0, 403);
    }
}

#[actix_web::test]
async fn another_projects_key_cannot_be_revoked() {
    let stage = Stage::set().await;
    let (ada, bob) = (stage.person("ada").await, stage.person("bob").await);
    let (of_ada, of_bob) =
        (stage.project_of(&ada, Role::Owner).await, stage.project_of(&bob, Role::Owner).await);
    let (id, secret) = stage.key(of_ada, &ada, json!({"name": "k", "scopes": ["read"]})).await;
    assert_eq!(stage.delete(&format!("/api/v1/projects/{of_bob}/keys/{id}"), &bob).await, 404);
    assert_eq!(stage.delete(&format!("/api/v1/projects/{of_ada}/keys/{id}"), &bob).await, 404);
    assert_eq!(stage.delete(&format!("/api/v1/projects/{of_ada}/keys/nonsense"), &ada).await, 404);
    assert!(stage.resolver().await.resolve(secret.hash().0).await.unwrap().is_some());
}

#[actix_web::test]
async fn a_key_that_breaks_a_law_is_refused_by_field() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let path = format!("/api/v1/projects/{}/keys", stage.project_of(&ada, Role::Owner).await);
    let past = Utc::now() - TimeDelta::seconds(1);
    for (body, field) in [
        (json!({"scopes": ["read"]}), "name"),
        (json!({"name": "", "scopes": ["read"]}), "name"),
        (json!({"name": "k"}), "scopes"),
        (json!({"name": "k", "scopes": []}), "scopes"),
        (json!({"name": "k", "scopes": ["read", "write"]}), "scopes[1]"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": past}), "expires_at"),
        (json!({"name": "k", "scopes": ["read"], "expires_at": "soon"}), "expires_at"),
    ] {
        let (status, problem) = stage.post(&path, &ada, body.clone()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{body}");
    }
}

#[actix_web::test]
async fn a_key_is_replaced_with_an_overlap() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Admin).await;
    let (id, old) = stage.key(project, &ada, json!({"name": "web shop", "scopes": ["ingest"]})).await;
    let resolver = stage.resolver().await;
    let path = format!("/api/v1/projects/{project}/keys/{id}/rotate");
    let (status, new) = stage.post(&path, &ada, json!({"overlap_seconds": 3600})).await;
    assert_eq!((status, &new["name"], &new["scopes"]), (201, &json!("web shop"), &json!(["ingest"])));
    assert_eq!(new["expires_at"], Value::Null);
    let new = ApiKey::parse(new["secret"].as_str().unwrap()).unwrap();
    let end = resolver.resolve(old.hash().0).await.unwrap().unwrap().expires_at.unwrap() - Utc::now();
    assert!(end > TimeDelta::minutes(59) && end <= TimeDelta::hours(1), "{end}");
    let grant = resolver.resolve(new.hash().0).await.unwrap().unwrap();
    assert_eq!((grant.project_id, grant.scopes.clone()), (project, vec![Scope::Ingest]));

    let (_, again) = stage.post(&path, &ada, json!({})).await;
    let (_, list) = stage.get(&format!("/api/v1/projects/{project}/keys"), &ada).await;
    let end: chrono::DateTime<Utc> = list["data"][0]["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(end - Utc::now() < TimeDelta::hours(1), "a second replacement does not lengthen it: {again}");
}

#[actix_web::test]
async fn a_replaced_key_without_an_overlap_stops_within_a_second() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let (id, old) = stage.key(project, &ada, json!({"name": "k", "scopes": ["read"]})).await;
    let resolver = stage.resolver().await;
    assert!(resolver.resolve(old.hash().0).await.unwrap().is_some());
    let path = format!("/api/v1/projects/{project}/keys/{id}/rotate");
    assert_eq!(stage.post(&path, &ada, json!({"overlap_seconds": 0})).await.0, 201);
    let replaced = Instant::now();
    wait::until("the old key is forgotten", async || resolver.resolve(old.hash().0).await.unwrap().is_none())
        .await;
    assert!(replaced.elapsed() < Duration::from_secs(1), "it took {:?}", replaced.elapsed());
    assert_eq!(stage.post(&path, &ada, json!({})).await.0, 404, "it has expired");
}

#[actix_web::test]
async fn a_key_is_replaced_by_those_who_may_within_the_law() {
    let stage = Stage::set().await;
    let (ada, bob, eve) = (stage.person("ada").await, stage.person("bob").await, stage.person("eve").await);
    let project = stage.project_of(&ada, Role::Owner).await;
    let mut store = stage.store().await;
    millrace_storage::members::set(&mut store, project, bob.id, Role::Editor).await.unwrap();
    let (id, _) = stage.key(project, &ada, json!({"name": "k", "scopes": ["read"]})).await;
    let path = format!("/api/v1/projects/{project}/keys/{id}/rotate");
    assert_eq!(stage.post(&path, &bob, json!({})).await.0, 403);
    assert_eq!(stage.post(&path, &eve, json!({})).await.0, 404);
    for (body, field) in [
        (json!({"overlap_seconds": 2_592_001}), "overlap_seconds"),
        (json!({"overlap_seconds": -1}), "overlap_seconds"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
    ] {
        let (status, problem) = stage.post(&path, &ada, body.clone()).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{body}");
    }
    let elsewhere = stage.project_of(&ada, Role::Owner).await;
    let path = format!("/api/v1/projects/{elsewhere}/keys/{id}/rotate");
    assert_eq!(stage.post(&path, &ada, json!({})).await.0, 404, "it is another project's");
}

#[actix_web::test]
async fn a_key_in_use_says_when() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    let (_, secret) = stage.key(project, &ada, json!({"name": "k", "scopes": ["read"]})).await;
    let used = async || {
        let (_, list) = stage.get(&format!("/api/v1/projects/{project}/keys"), &ada).await;
        list["data"][0]["last_used_at"].clone()
    };
    assert_eq!(used().await, Value::Null);
    // Each remembers, so each asks auth once.
    assert!(stage.resolver().await.resolve(secret.hash().0).await.unwrap().is_some());
    let first = used().await;
    assert!(first.is_string());
    assert!(stage.resolver().await.resolve(secret.hash().0).await.unwrap().is_some());
    assert_eq!(used().await, first, "it is written once a minute");
    let client = stage.database.client().await;
    client
        .execute("UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'", &[])
        .await
        .unwrap();
    assert!(stage.resolver().await.resolve(secret.hash().0).await.unwrap().is_some());
    assert!(used().await.as_str() > first.as_str());
}
