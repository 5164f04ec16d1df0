use millrace_cache::revocations::RevocationCount;
use millrace_domain::access::Scope;
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::revocations::{self, Revoked};
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys;
use millrace_storage::database::{Database, PoolSettings};
use millrace_testkit::wait;
use serde_json::json;

use crate::stage::{Stage, answer};

#[actix_web::test]
async fn without_a_good_key_nothing_is_taken() {
    let stage = Stage::set().await;
    let path = "/api/v1/events";
    let unknown = ApiKey::generate().unwrap();
    for request in [
        stage.anonymous(path),
        stage.anonymous(path).bearer_auth("nonsense"),
        stage.anonymous(path).basic_auth("mr", Some("mr")),
        stage.anonymous(path).bearer_auth(unknown.reveal()),
        stage.anonymous(path).header("X-Api-Key", unknown.reveal()),
    ] {
        let (status, problem) = answer(request.body("[]")).await;
        assert_eq!((status, &problem["code"]), (401, &json!("unauthenticated")));
    }
}

#[actix_web::test]
async fn both_headers_carry_a_key() {
    let stage = Stage::set().await;
    let request = stage.anonymous("/api/v1/events").header("X-Api-Key", stage.key.reveal());
    assert_eq!(answer(request.body("[]")).await.0, 202);
}

#[actix_web::test]
async fn a_read_key_and_another_projects_key_are_forbidden() {
    let stage = Stage::set().await;
    let reader = ApiKey::generate().unwrap();
    stage.grant(&reader, &[Scope::Read]).await;
    let (status, problem) =
        answer(stage.anonymous("/api/v1/events").bearer_auth(reader.reveal()).body("[]")).await;
    assert_eq!(status, 403);
    assert!(problem["detail"].as_str().unwrap().contains("ingest"), "{problem}");

    let elsewhere = ProjectId::new().to_string();
    assert_eq!(answer(stage.send("[]").header("X-Project-Id", elsewhere)).await.0, 403);
    assert_eq!(answer(stage.send("[]").header("X-Project-Id", stage.shop.to_string())).await.0, 202);
}

#[actix_web::test]
async fn a_revoked_key_stops_working_within_a_second() {
    let stage = Stage::set().await;
    let key = ApiKey::generate().unwrap();
    let id = stage.grant(&key, &[Scope::Ingest]).await;
    let send =
        async || answer(stage.anonymous("/api/v1/events").bearer_auth(key.reveal()).body("[]")).await.0;
    assert_eq!(send().await, 202);

    let database = Database::new(&stage.database.url(), PoolSettings::named("test")).unwrap();
    assert!(api_keys::revoke(&mut database.connection().await.unwrap(), stage.shop, id).await.unwrap());
    let broker = Broker::connect(stage.nats.url(), "test", std::time::Duration::from_secs(2)).await.unwrap();
    let revoked = std::time::Instant::now();
    revocations::announce(&broker, &Revoked::Key { key_id: id }).await.unwrap();
    wait::until("the key is refused", async || send().await == 401).await;
    assert!(revoked.elapsed() < std::time::Duration::from_secs(1), "it took {:?}", revoked.elapsed());
}

#[actix_web::test]
async fn a_revoked_key_is_refused_also_when_only_redis_tells() {
    let stage = Stage::set().await;
    let key = ApiKey::generate().unwrap();
    let id = stage.grant(&key, &[Scope::Ingest]).await;
    let send =
        async || answer(stage.anonymous("/api/v1/events").bearer_auth(key.reveal()).body("[]")).await.0;
    assert_eq!(send().await, 202);

    let database = Database::new(&stage.database.url(), PoolSettings::named("test")).unwrap();
    assert!(api_keys::revoke(&mut database.connection().await.unwrap(), stage.shop, id).await.unwrap());
    RevocationCount::new(stage.redis.url()).unwrap().grow().await.unwrap();
    wait::until("the key is refused", async || send().await == 401).await;
}

#[actix_web::test]
async fn with_auth_away_known_keys_work_and_unknown_ones_are_asked_to_come_again() {
    let stage = Stage::set().await;
    stage.auth.cancel();
    let stranger = ApiKey::generate().unwrap();
    wait::until("auth is gone", async || {
        let request = stage.anonymous("/api/v1/events").bearer_auth(stranger.reveal());
        let response = request.body("[]").send().await.unwrap();
        response.status() == 503 && response.headers().contains_key("retry-after")
    })
    .await;
    assert_eq!(answer(stage.send("[]")).await.0, 202);
}
