//! API keys, and the keys that sign.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures_util::StreamExt;
use millrace_domain::access::Scope;
use millrace_messaging::broker::Broker;
use millrace_messaging::subjects;
use millrace_security::api_key::ApiKey;
use millrace_storage::{api_keys, signing_keys};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;

use crate::command::{admin, admin_with_broker, result, store};

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    let args = ["create-key", project, "--scope", "read", "--scope", "ingest", "--name", "web shop"];
    let created = admin(&database, &args);
    let key = ApiKey::parse(result(&created)).unwrap();
    assert!(!created.stderr.contains(key.reveal()), "a secret goes to standard output alone");
    let mut store = store(&database).await;
    let grant = api_keys::grant(&mut store, &key.hash().0).await.unwrap().unwrap();
    assert_eq!(
        (grant.project_id.to_string().as_str(), grant.scopes),
        (project, vec![Scope::Ingest, Scope::Read])
    );

    let id = grant.key_id.to_string();
    let listed = admin(&database, &["list-keys", project]);
    assert_eq!(result(&listed), format!("{id}  {}…  ingest,read  live  web shop", key.shown()));

    let revoked = admin(&database, &["revoke-key", project, &id]);
    assert!(revoked.code == Some(0) && revoked.stderr.contains("NATS_URL"), "{revoked:?}");
    assert!(api_keys::grant(&mut store, &key.hash().0).await.unwrap().is_none());
    assert!(admin(&database, &["list-keys", project]).stdout.contains("revoked"));
    assert_eq!(admin(&database, &["revoke-key", project, &id]).code, Some(2), "it is revoked already");
}

#[tokio::test]
async fn the_running_services_are_told_of_a_revocation() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let broker = Broker::connect(nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    let mut revocations = broker.client().subscribe(subjects::REVOKED).await.unwrap();
    broker.client().flush().await.unwrap();
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    admin(&database, &["create-key", project, "--scope", "read"]);
    let listed = admin(&database, &["list-keys", project]);
    let id = result(&listed).split("  ").next().unwrap();

    let revoked = admin_with_broker(&database, nats.url(), &["revoke-key", project, id]);
    assert_eq!((revoked.code, revoked.stderr.as_str()), (Some(0), ""), "{revoked:?}");
    let heard = tokio::time::timeout(Duration::from_secs(5), revocations.next()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&heard.payload).contains(id), "{heard:?}");
}

#[tokio::test]
async fn a_broker_that_is_away_costs_the_exit_code_and_not_the_revocation() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    admin(&database, &["create-key", project, "--scope", "read"]);
    let listed = admin(&database, &["list-keys", project]);
    let id = result(&listed).split("  ").next().unwrap();
    let revoked = admin_with_broker(&database, "nats://127.0.0.1:1", &["revoke-key", project, id]);
    assert!(revoked.code == Some(1) && revoked.stderr.contains("half a minute"), "{revoked:?}");
    assert!(admin(&database, &["list-keys", project]).stdout.contains("revoked"));
}

#[tokio::test]
async fn a_key_that_cannot_be_is_not_made() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-project", "Shop"]);
    let project = result(&created);
    let nobody = "00000000-0000-7000-8000-000000000000";
    for (args, said) in [
        (["create-key", nobody, "--scope", "read"].as_slice(), "there is no project"),
        (&["create-key", project], "--scope"),
        (&["create-key", project, "--scope", "write"], "unknown scope"),
        (
            &["create-key", project, "--scope", "read", "--expires-at", "2020-01-01T00:00:00Z"],
            "must be in the future",
        ),
    ] {
        let refused = admin(&database, args);
        assert!(refused.code == Some(2) && refused.stderr.contains(said), "{refused:?}");
    }
}

#[tokio::test]
async fn a_signing_key_is_succeeded_by_another_under_the_same_master_key() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let broker = Broker::connect(nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    let mut revocations = broker.client().subscribe(subjects::REVOKED).await.unwrap();
    broker.client().flush().await.unwrap();
    let master = "a".repeat(64);
    let rotate = |more: &[&str]| {
        let args = [&["rotate-signing-key", "--master-key", &master], more].concat();
        admin_with_broker(&database, nats.url(), &args)
    };
    let first = rotate(&[]);
    let first = result(&first).to_owned();
    let heard = tokio::time::timeout(Duration::from_secs(5), revocations.next()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&heard.payload).contains("signing_keys"), "{heard:?}");

    let second = rotate(&["--lead", "1h"]);
    let second = result(&second).to_owned();
    let mut store = store(&database).await;
    let keys = signing_keys::since(&mut store, Utc::now()).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), [&first, &second]);
    let lead = keys[0].retired_at.unwrap() - Utc::now();
    assert!(lead > TimeDelta::minutes(59) && keys[1].retired_at.is_none(), "{keys:?}");

    let client = database.client().await;
    let retire = async |kid: &str, ago: &str| {
        let sql = format!("UPDATE signing_keys SET retired_at = now() - interval '{ago}' WHERE kid = $1");
        client.execute(&sql, &[&kid]).await.unwrap();
        rotate(&[]);
        let count = "SELECT count(*) FROM signing_keys WHERE kid = $1";
        client.query_one(count, &[&kid]).await.unwrap().get::<_, i64>(0) == 1
    };
    assert!(retire(&first, "6 days").await, "it has signed cookies that are good");
    assert!(!retire(&first, "8 days").await);

    let other = "b".repeat(64);
    let refused = admin(&database, &["rotate-signing-key", "--master-key", &other]);
    assert!(refused.code == Some(2) && refused.stderr.contains("MILLRACE_MASTER_KEY"), "{refused:?}");
    assert!(!refused.stderr.contains(&other), "{refused:?}");

    let third = rotate(&["--compromised"]);
    let keys = signing_keys::since(&mut store, Utc::now()).await.unwrap();
    assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), [result(&third)]);
}
