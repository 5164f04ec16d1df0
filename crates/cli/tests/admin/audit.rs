//! What operators do is recorded, and the log can be verified.

use std::time::Duration;

use millrace_domain::audit::SecurityEvent;
use millrace_messaging::audit::read;
use millrace_messaging::broker::Broker;
use millrace_messaging::consumer::{Consumer, PullSettings};
use millrace_messaging::streams::{AuditLimits, ensure_audit};
use millrace_storage::audit::{self, Entry, Filter};
use millrace_testkit::database::TestDatabase;
use millrace_testkit::nats::TestNats;
use millrace_testkit::redis::TestRedis;

use crate::command::{admin, admin_with_broker, result, store};

async fn entries(database: &TestDatabase) -> Vec<Entry> {
    let mut entries = audit::page(&mut *store(database).await, &Filter::default(), None, 100).await.unwrap();
    entries.reverse();
    entries
}

/// The head that `verify` prints.
fn head(database: &TestDatabase) -> String {
    let verified = admin(database, &["audit", "verify"]);
    result(&verified).rsplit(' ').next().unwrap().to_owned()
}

async fn tamper(database: &TestDatabase, sql: &str) {
    let guard = "TRIGGER audit_log_is_append_only";
    let sql =
        format!("ALTER TABLE audit_log DISABLE {guard}; {sql}; ALTER TABLE audit_log ENABLE ALWAYS {guard}");
    database.client().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test]
async fn what_an_operator_does_is_recorded_without_its_secrets() {
    let (database, redis) = tokio::join!(TestDatabase::create(), TestRedis::isolated());
    let password = admin(&database, &["create-user", "ada@example.com", "--admin"]);
    let project = admin(&database, &["create-project", "Shop"]);
    let project = result(&project);
    let secret = admin(&database, &["create-key", project, "--scope", "read"]);
    let listed = admin(&database, &["list-keys", project]);
    let key = result(&listed).split("  ").next().unwrap();
    assert_eq!(admin(&database, &["revoke-key", project, key]).code, Some(0));
    assert_eq!(admin(&database, &["end-sessions", "ada@example.com"]).code, Some(0));
    assert_eq!(admin(&database, &["unlock", "ada@example.com", "--redis-url", redis.url()]).code, Some(0));
    let master = "a".repeat(64);
    let kid = admin(&database, &["rotate-signing-key", "--master-key", &master]);

    let entries = entries(&database).await;
    let seen: Vec<_> =
        entries.iter().map(|e| (e.action.as_str(), e.target_kind.as_deref(), e.details.as_str())).collect();
    assert_eq!(
        seen,
        [
            ("account.created", Some("account"), r#"{"admin":true}"#),
            ("project.created", Some("project"), "{}"),
            ("api_key.created", Some("api_key"), r#"{"scopes":["read"]}"#),
            ("api_key.revoked", Some("api_key"), "{}"),
            ("session.all_ended", Some("account"), r#"{"sessions":0}"#),
            ("attempts.unlocked", Some("account"), "{}"),
            ("signing_key.rotated", Some("signing_key"), r#"{"compromised":false}"#),
        ]
    );
    assert!(entries.iter().all(|entry| entry.actor_kind == "operator" && entry.address.is_none()));
    assert_eq!(entries[6].target_id.as_deref(), Some(result(&kid)));
    assert_eq!((entries[3].target_id.as_deref(), entries[2].project_id), (Some(key), entries[1].project_id));
    let all = format!("{entries:?}");
    for secret in [result(&password), result(&secret), &master, "ada@example.com"] {
        assert!(!all.contains(secret), "{all}");
    }
    assert!(head(&database).starts_with("7:"));
}

#[tokio::test]
async fn the_first_start_is_recorded_once() {
    let database = TestDatabase::create().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    for _ in 0..2 {
        assert_eq!(admin(&database, &["bootstrap", "--env-file", file.to_str().unwrap()]).code, Some(0));
    }
    let actions: Vec<_> = entries(&database).await.into_iter().map(|entry| entry.action).collect();
    let project = ["project.created", "api_key.created", "api_key.created"];
    assert_eq!(actions, [&["account.created"], project.as_slice(), &project].concat());
}

#[tokio::test]
async fn with_a_broker_it_goes_there_and_without_its_stream_into_the_database() {
    let (database, nats) = tokio::join!(TestDatabase::create(), TestNats::isolated());
    let created = admin_with_broker(&database, nats.url(), &["create-project", "Shop"]);
    assert_eq!(result(&created).len(), 36, "{created:?}");
    assert_eq!(entries(&database).await.len(), 1);

    let broker = Broker::connect(nats.url(), "test", Duration::from_secs(2)).await.unwrap();
    ensure_audit(&broker, AuditLimits { bytes: 1 << 20, replicas: 1 }).await.unwrap();
    let created = admin_with_broker(&database, nats.url(), &["create-project", "Shop"]);
    assert_eq!(entries(&database).await.len(), 1, "auth will append it");
    let pull = PullSettings {
        max_messages: 1,
        max_bytes: 1 << 20,
        expires: Duration::from_secs(5),
        ack_wait: Duration::from_secs(30),
        max_deliveries: None,
    };
    let deliveries = Consumer::of_audit(&broker, pull).await.unwrap().pull().await.unwrap();
    let event: SecurityEvent = read(&deliveries[0]).unwrap();
    assert_eq!(event.project_id.unwrap().to_string(), result(&created));
    assert_eq!(deliveries[0].subject(), "audit.v1.project");
}

#[tokio::test]
async fn a_log_that_was_tampered_with_is_not_sound() {
    let database = TestDatabase::create().await;
    assert_eq!(
        result(&admin(&database, &["audit", "verify"])).split(';').next(),
        Some("0 entries are sound")
    );
    for name in ["One", "Two", "Three"] {
        admin(&database, &["create-project", name]);
    }
    let kept = head(&database);
    assert_eq!(admin(&database, &["audit", "verify", "--expect-head", &kept]).code, Some(0));
    let nonsense = admin(&database, &["audit", "verify", "--expect-head", "3:abc"]);
    assert!(nonsense.code == Some(2) && nonsense.stderr.contains("--expect-head"), "{nonsense:?}");

    tamper(&database, "DELETE FROM audit_log WHERE seq = 3").await;
    assert!(head(&database).starts_with("2:"), "a shorter log is sound in itself");
    let cut = admin(&database, &["audit", "verify", "--expect-head", &kept]);
    assert!(cut.code == Some(1) && cut.stdout.contains("entry 3 is missing"), "{cut:?}");
    tamper(&database, "UPDATE audit_log SET actor_kind = 'account' WHERE seq = 2").await;
    let changed = admin(&database, &["audit", "verify"]);
    assert!(changed.code == Some(1) && changed.stdout.contains("entry 2 was changed"), "{changed:?}");
}
