//! The audit log: appended in one chain, refused to be rewritten, and what is found when somebody did it all the same.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use millrace_domain::access::{Role, Scope};
use millrace_domain::audit::action::{Action, Outcome};
use millrace_domain::audit::{Actor, Details, Origin, SecurityEvent, Target};
use millrace_domain::ids::{AccountId, KeyId, ProjectId};
use millrace_domain::text::ShortText;
use millrace_storage::audit::chain::{Broken, Head, VerifyError, verify};
use millrace_storage::audit::{self, Filter};
use millrace_storage::database::{Connection, Database, PoolSettings};
use millrace_testkit::database::TestDatabase;
use tokio_postgres::Client;

/// What `docs/audit.md` tells people to run: entries whose hash is not that of their content.
fn recomputation() -> String {
    let document = include_str!("../../../../docs/audit.md");
    let (_, rest) = document.split_once("```sql\nSELECT seq").unwrap();
    format!("SELECT seq{}", rest.split_once("```").unwrap().0)
}

fn event(action: Action) -> SecurityEvent {
    SecurityEvent::new(action, Actor::Anonymous, Origin::default(), Utc::now())
}

/// One with something in every field.
fn full_event() -> SecurityEvent {
    let origin = Origin {
        address: Some("2001:db8::7".parse().unwrap()),
        user_agent: ShortText::cut("Mozilla/5.0 (naïve; \"quoted\")"),
        request_id: ShortText::cut("checkout-7"),
    };
    let details = Details {
        role: Some(Role::Viewer),
        scopes: Some(vec![Scope::Ingest, Scope::Read]),
        expires_at: Some(Utc::now()),
        ..Details::default()
    };
    SecurityEvent::new(Action::ApiKeyCreated, Actor::Account(AccountId::new()), origin, Utc::now())
        .on(Target::ApiKey(KeyId::new()))
        .within(ProjectId::new())
        .with(details)
}

struct Log {
    database: TestDatabase,
    pool: Database,
}

impl Log {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let pool = Database::new(&database.url(), PoolSettings::named("test")).unwrap();
        Self { database, pool }
    }

    async fn of(entries: usize) -> Self {
        let log = Self::new().await;
        let events: Vec<_> = (0..entries).map(|_| full_event()).collect();
        log.append(&events).await;
        log
    }

    async fn conn(&self) -> Connection {
        self.pool.connection().await.unwrap()
    }

    async fn append(&self, events: &[SecurityEvent]) {
        let new = audit::append(&mut *self.conn().await, events).await.unwrap();
        assert_eq!(new.len(), events.len());
    }

    async fn verified(&self, expected: Option<Head>) -> Result<Head, Broken> {
        verify(&mut *self.conn().await, expected).await.map_err(|error| match error {
            VerifyError::Broken(broken) => broken,
            VerifyError::Storage(error) => panic!("{error}"),
        })
    }

    /// Does what only the owner of the table can.
    async fn tamper(&self, sql: &str) {
        let guard = "TRIGGER audit_log_is_append_only";
        let sql = format!(
            "ALTER TABLE audit_log DISABLE {guard}; {sql}; ALTER TABLE audit_log ENABLE ALWAYS {guard}"
        );
        self.database.client().await.batch_execute(&sql).await.unwrap();
    }
}

async fn rows(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_event_that_is_told_twice_is_one_entry() {
    let log = Log::new().await;
    let mut conn = log.conn().await;
    assert_eq!(log.verified(None).await, Ok(Head::START));
    let (one, other) = (event(Action::LoginFailed), full_event());
    let new = audit::append(&mut conn, &[one.clone(), other.clone(), one.clone()]).await.unwrap();
    assert_eq!(new, HashSet::from([one.id, other.id]));
    assert!(audit::append(&mut conn, &[other.clone(), one.clone()]).await.unwrap().is_empty());
    assert!(audit::append(&mut conn, &[]).await.unwrap().is_empty());
    let third = event(Action::LoginSucceeded);
    assert_eq!(
        audit::append(&mut conn, &[one.clone(), third.clone()]).await.unwrap(),
        HashSet::from([third.id])
    );

    let entries = audit::page(&mut conn, &Filter::default(), None, 10).await.unwrap();
    let ids: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.event_id)).collect();
    assert_eq!(ids, [(3, third.id.0), (2, other.id.0), (1, one.id.0)]);
    assert_eq!(entries[1].occurred_at, other.occurred_at);
    assert_eq!(log.verified(None).await, Ok(audit::head(&mut conn).await.unwrap()));
}

#[tokio::test]
async fn however_many_append_at_once_the_log_is_one_chain() {
    let log = Log::new().await;
    let shared = event(Action::LoginFailed);
    let appends = (0..8).map(|_| async {
        let replica = Database::new(&log.database.url(), PoolSettings::named("test")).unwrap();
        for _ in 0..10 {
            let events = [full_event(), shared.clone(), event(Action::LoginFailed)];
            let mut conn = replica.connection().await.unwrap();
            audit::append(&mut conn, &events).await.unwrap();
        }
    });
    join_all(appends).await;
    assert_eq!(log.verified(None).await.unwrap().seq, 161);
}

#[tokio::test]
async fn the_database_refuses_to_rewrite_it() {
    let log = Log::of(3).await;
    let client = log.database.client().await;
    for sql in [
        "UPDATE audit_log SET action = 'x'",
        "UPDATE audit_log SET action = 'x' WHERE seq > 99",
        "DELETE FROM audit_log WHERE seq = 3",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log SELECT * FROM audit_log ON CONFLICT (seq) DO UPDATE SET action = 'x'",
        "MERGE INTO audit_log USING (SELECT 1) AS one ON seq = 1 WHEN MATCHED THEN DELETE",
    ] {
        let refused = client.batch_execute(sql).await.unwrap_err();
        let said = refused.as_db_error().unwrap().message();
        assert!(said.starts_with("audit_log is only ever appended to"), "{sql}: {said}");
    }
    let twin = "INSERT INTO audit_log SELECT 4, event_id, occurred_at, action, outcome, actor_kind, actor_id, target_kind, \
                target_id, project_id, address, user_agent, request_id, details, prev_hash, hash FROM audit_log LIMIT 1";
    assert!(client.batch_execute(twin).await.unwrap_err().to_string().contains("db error"));
    assert_eq!(log.verified(None).await.unwrap().seq, 3);
}

#[tokio::test]
async fn whatever_is_done_to_an_entry_is_found() {
    for (tampering, found) in [
        ("UPDATE audit_log SET action = 'login.succeeded' WHERE seq = 3", Broken::Content(3)),
        ("UPDATE audit_log SET address = NULL WHERE seq = 3", Broken::Content(3)),
        (
            "UPDATE audit_log SET occurred_at = occurred_at - interval '1 microsecond' WHERE seq = 1",
            Broken::Content(1),
        ),
        ("UPDATE audit_log SET details = details || ' ' WHERE seq = 5", Broken::Content(5)),
        ("UPDATE audit_log SET hash = sha256('x') WHERE seq = 3", Broken::Content(3)),
        ("UPDATE audit_log SET prev_hash = sha256('x') WHERE seq = 3", Broken::Link(3)),
        ("DELETE FROM audit_log WHERE seq = 3", Broken::Missing { expected: 3, found: 4 }),
        ("DELETE FROM audit_log WHERE seq <= 2", Broken::Missing { expected: 1, found: 3 }),
        (
            "DELETE FROM audit_log WHERE seq = 3; UPDATE audit_log SET seq = seq - 1 WHERE seq > 3",
            Broken::Link(3),
        ),
        (
            "UPDATE audit_log SET seq = 99 WHERE seq = 2; UPDATE audit_log SET seq = 2 WHERE seq = 3; \
             UPDATE audit_log SET seq = 3 WHERE seq = 99",
            Broken::Link(2),
        ),
    ] {
        let log = Log::of(5).await;
        log.tamper(tampering).await;
        assert_eq!(log.verified(None).await, Err(found), "{tampering}");
    }
}

#[tokio::test]
async fn a_head_that_was_kept_tells_whether_the_end_is_missing_or_all_was_written_anew() {
    let log = Log::of(3).await;
    let kept = log.verified(None).await.unwrap();
    log.append(&[full_event()]).await;
    let grown = log.verified(Some(kept)).await.unwrap();
    assert_eq!(grown.seq, 4);

    log.tamper("DELETE FROM audit_log WHERE seq > 2").await;
    assert_eq!(log.verified(None).await.unwrap().seq, 2, "a shorter chain is sound in itself");
    assert_eq!(log.verified(Some(kept)).await, Err(Broken::Cut { expected: 3, last: 2 }));

    log.tamper("TRUNCATE audit_log").await;
    assert_eq!(log.verified(Some(Head::START)).await, Ok(Head::START));
    let another: Vec<_> = (0..4).map(|_| full_event()).collect();
    log.append(&another).await;
    assert_eq!(log.verified(None).await.unwrap().seq, 4);
    assert_eq!(log.verified(Some(kept)).await, Err(Broken::Another(3)));
}

#[tokio::test]
async fn anybody_can_compute_the_hashes_again() {
    let log = Log::of(2).await;
    log.append(&[event(Action::LoginFailed), full_event()]).await;
    let client = log.database.client().await;
    let broken = client.query(&recomputation(), &[]).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    log.tamper("UPDATE audit_log SET user_agent = 'x' WHERE seq = 2").await;
    let broken = client.query(&recomputation(), &[]).await.unwrap();
    assert_eq!(broken.iter().map(|row| row.get::<_, i64>(0)).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn more_entries_than_are_read_at_once_are_verified() {
    let log = Log::of(2_500).await;
    assert_eq!(log.verified(None).await.unwrap().seq, 2_500);
    log.tamper("UPDATE audit_log SET outcome = 'denied' WHERE seq = 2001").await;
    assert_eq!(log.verified(None).await, Err(Broken::Content(2_001)));
    assert_eq!(rows(&log.database.client().await, "SELECT count(*) FROM audit_log").await, 2_500);
}

#[tokio::test]
async fn entries_are_found_by_what_is_asked() {
    let log = Log::new().await;
    let mut conn = log.conn().await;
    let (first, wrong) = (full_event(), event(Action::LoginFailed));
    let later = SecurityEvent { occurred_at: first.occurred_at + TimeDelta::hours(1), ..full_event() };
    audit::append(&mut conn, &[first.clone(), wrong.clone(), later.clone()]).await.unwrap();
    let an_hour_later = Some(first.occurred_at + TimeDelta::hours(1));
    for (filter, found) in [
        (Filter::default(), vec![3, 2, 1]),
        (Filter { actions: Some(vec![Action::LoginFailed]), ..Filter::default() }, vec![2]),
        (Filter { actions: Some(Action::ALL.to_vec()), ..Filter::default() }, vec![3, 2, 1]),
        (Filter { outcome: Some(Outcome::Failure), ..Filter::default() }, vec![2]),
        (Filter { actor: first.actor.account(), ..Filter::default() }, vec![1]),
        (Filter { target: later.target.as_ref().map(Target::id), ..Filter::default() }, vec![3]),
        (Filter { project: first.project_id, ..Filter::default() }, vec![1]),
        (Filter { project: first.project_id, outcome: Some(Outcome::Failure), ..Filter::default() }, vec![]),
        (Filter { from: an_hour_later, ..Filter::default() }, vec![3]),
        (Filter { to: an_hour_later, ..Filter::default() }, vec![2, 1]),
    ] {
        let entries = audit::page(&mut conn, &filter, None, 10).await.unwrap();
        assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), found, "{filter:?}");
    }
    let page = audit::page(&mut conn, &Filter::default(), Some(3), 1).await.unwrap();
    assert_eq!(page.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2]);
}
