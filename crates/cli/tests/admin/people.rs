//! Migrations, accounts and their sessions, projects.

use std::net::Ipv4Addr;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures_util::StreamExt;
use millrace_cache::attempts::{Attempts, Law};
use millrace_messaging::broker::Broker;
use millrace_messaging::subjects;
use millrace_security::password::verify;
use millrace_storage::refresh_tokens::NewToken;
use millrace_storage::sessions::Client;
use millrace_storage::{accounts, sessions};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::redis::TestRedis;

use crate::command::{admin, admin_hearing, admin_with_broker, result, store};

#[tokio::test]
async fn migrating_says_what_it_did() {
    let database = TestDatabase::empty().await;
    let first = admin(&database, &["migrate", "--chunk-interval", "1d"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(
        first.stdout.lines().count() > 3 && first.stdout.lines().all(|line| line.starts_with("applied "))
    );
    let second = admin(&database, &["migrate"]);
    assert_eq!(result(&second), "the schema is up to date");
    assert_eq!(admin(&database, &["migrate", "--chunk-interval", "5s"]).code, Some(2));
}

#[tokio::test]
async fn an_account_gets_a_random_password_or_the_one_it_is_given() {
    let database = TestDatabase::create().await;
    let created = admin(&database, &["create-user", "Ada@Example.com", "--admin"]);
    let password = result(&created);
    assert!(!created.stderr.contains(password), "a secret goes to standard output alone");
    let mut store = store(&database).await;
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    assert!(ada.is_admin && verify(password, ada.password_hash.as_ref().unwrap()));

    let bob = admin_hearing(
        &database,
        "correct horse\r\n",
        &["create-user", "bob@example.com", "--password-stdin"],
    );
    assert_eq!((bob.code, bob.stdout.as_str()), (Some(0), ""), "{bob:?}");
    let bob = accounts::find_by_email(&mut store, "bob@example.com").await.unwrap().unwrap();
    assert!(!bob.is_admin && verify("correct horse", bob.password_hash.as_ref().unwrap()));
}

#[tokio::test]
async fn an_account_that_cannot_be_is_not_made() {
    let database = TestDatabase::create().await;
    assert_eq!(admin(&database, &["create-user", "ada@example.com"]).code, Some(0));
    let again = admin(&database, &["create-user", "ADA@example.com"]);
    assert!(again.code == Some(2) && again.stderr.contains("has an account already"), "{again:?}");
    let short = admin_hearing(&database, "short\n", &["create-user", "bob@example.com", "--password-stdin"]);
    assert!(short.code == Some(2) && short.stderr.contains("at least 8 bytes"), "{short:?}");
    assert_eq!(admin(&database, &["create-user", "not an address"]).code, Some(2));
}

#[tokio::test]
async fn projects_are_created_and_listed() {
    let database = TestDatabase::create().await;
    let shop = admin(&database, &["create-project", "Ada's shop", "--timezone", "Asia/Kolkata"]);
    let id = result(&shop);
    assert_eq!(result(&admin(&database, &["list-projects"])), format!("{id}  Asia/Kolkata  Ada's shop"));
    for bad in [["create-project", "x", "--timezone", "Nowhere"].as_slice(), &["create-project", " "]] {
        assert_eq!(admin(&database, bad).code, Some(2), "{bad:?}");
    }
}

#[tokio::test]
async fn an_account_is_signed_out_everywhere() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    admin(&database, &["create-user", "ada@example.com"]);
    let mut store = store(&database).await;
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    let now = Utc::now();
    let token = NewToken { hash: &[1; 32], expires_at: now + TimeDelta::days(7) };
    sessions::open(&mut store, &ada, Client::default(), token, now).await.unwrap();
    let broker = Broker::connect(nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    let mut revocations = broker.client().subscribe(subjects::REVOKED).await.unwrap();
    broker.client().flush().await.unwrap();

    let ended = admin_with_broker(&database, nats.url(), &["end-sessions", "ADA@example.com"]);
    assert_eq!(result(&ended), "ended 1 sessions of ada@example.com");
    assert!(sessions::of_account(&mut store, ada.id, now).await.unwrap().is_empty());
    let heard = tokio::time::timeout(Duration::from_secs(5), revocations.next()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&heard.payload).contains(&ada.id.to_string()), "{heard:?}");

    let nobody = admin(&database, &["end-sessions", "nobody@example.com"]);
    assert!(nobody.code == Some(2) && nobody.stderr.contains("has no account"), "{nobody:?}");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced() {
    let (database, nats, redis) =
        tokio::join!(TestDatabase::create(), TestNats::isolated(), TestRedis::isolated());
    let old = admin(&database, &["create-user", "ada@example.com"]);
    let mut store = store(&database).await;
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    let now = Utc::now();
    let token = NewToken { hash: &[1; 32], expires_at: now + TimeDelta::days(7) };
    sessions::open(&mut store, &ada, Client::default(), token, now).await.unwrap();
    let attempts = Attempts::new(redis.url(), Law::LOGIN).unwrap();
    for host in 0..5 {
        let _failed = attempts.begin("ada@example.com", Ipv4Addr::new(192, 0, 2, host).into()).await.unwrap();
    }

    let arguments = ["reset-password", "ADA@example.com", "--redis-url", redis.url()];
    let reset = admin_with_broker(&database, nats.url(), &arguments);
    let password = result(&reset);
    assert!(!reset.stderr.contains(password), "a secret goes to standard output alone");
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    assert!(
        verify(password, ada.password_hash.as_ref().unwrap())
            && !verify(result(&old), ada.password_hash.as_ref().unwrap())
    );
    assert!(sessions::of_account(&mut store, ada.id, now).await.unwrap().is_empty());
    let elsewhere = Ipv4Addr::new(192, 0, 2, 7).into();
    assert!(attempts.begin("ada@example.com", elsewhere).await.is_ok(), "it is unlocked");

    let chosen = ["reset-password", "ada@example.com", "--password-stdin"];
    let chosen = admin_hearing(&database, "correct horse\n", &chosen);
    assert_eq!((chosen.code, chosen.stdout.as_str()), (Some(0), ""), "{chosen:?}");
    let ada = accounts::find_by_email(&mut store, "ada@example.com").await.unwrap().unwrap();
    assert!(verify("correct horse", ada.password_hash.as_ref().unwrap()));
    let nobody = admin(&database, &["reset-password", "nobody@example.com"]);
    assert!(nobody.code == Some(2) && nobody.stderr.contains("has no account"), "{nobody:?}");
}

#[tokio::test]
async fn an_account_that_is_locked_is_unlocked() {
    let (database, redis) = tokio::join!(TestDatabase::create(), TestRedis::isolated());
    let attempts = Attempts::new(redis.url(), Law::LOGIN).unwrap();
    for host in 0..5 {
        let _failed = attempts.begin("ada@example.com", Ipv4Addr::new(192, 0, 2, host).into()).await.unwrap();
    }
    let elsewhere = Ipv4Addr::new(192, 0, 2, 7).into();
    assert!(attempts.begin("ada@example.com", elsewhere).await.is_err());
    let unlocked = admin(&database, &["unlock", "ADA@example.com", "--redis-url", redis.url()]);
    assert_eq!(result(&unlocked), "unlocked ada@example.com");
    assert!(attempts.begin("ada@example.com", elsewhere).await.is_ok());
    let away = admin(&database, &["unlock", "ada@example.com", "--redis-url", "redis://127.0.0.1:1"]);
    assert!(away.code == Some(2) && away.stderr.contains("stays locked"), "{away:?}");
}
