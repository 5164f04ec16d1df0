//! The audit log, from the requests to the chain.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::Utc;
use futures_util::future::join_all;
use millrace_domain::access::Role;
use millrace_domain::audit::action::Action;
use millrace_domain::audit::{Actor, Origin, SecurityEvent, Target};
use millrace_domain::ids::{AccountId, ProjectId};
use millrace_messaging::consumer::{self, Consumer, PullSettings};
use millrace_messaging::streams::{self, AuditLimits};
use millrace_messaging::{audit, subjects};
use millrace_storage::audit::chain::verify;
use millrace_storage::audit::{Entry, Filter};
use millrace_storage::{accounts, members};
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::stage::{PASSWORD, Person, Stage, answer};

const LOGIN: &str = "/api/v1/auth/login";
const LIMITS: AuditLimits = AuditLimits { bytes: 16 << 20, replicas: 1 };

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

#[actix_web::test]
async fn with_the_broker_away_people_sign_in_and_it_is_recorded_once() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.has_recorded(1).await;
    stage.nats_wire.cut();
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
    assert_eq!(stage.login(&ada.email, "wrong").await.0, 401);
    assert_eq!(
        stage.actions().await,
        ["login.succeeded", "login.succeeded", "login.failed"],
        "it is there when the answer is"
    );
    stage.nats_wire.mend();
    wait::until("auth is ready again", async || {
        answer(stage.to(Method::GET, "/health/ready")).await.0 == 200
    })
    .await;
    assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
    stage.has_recorded(4).await;
    stage.has_taken_all_in().await;
    stage.is_one_chain_of(4).await;
    let metrics = stage.metrics().await;
    let counted = r#"audit_events_total{action="login.failed",outcome="failure"} "#;
    assert!(metrics.lines().any(|line| line.starts_with(counted)), "{metrics}");
    assert!(!metrics.contains("audit_events_lost_total"), "{metrics}");
}

#[actix_web::test]
async fn an_acknowledgement_that_is_lost_makes_no_second_entry() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    stage.has_recorded(1).await;
    // Wherever the wire breaks: before the event, in it, or behind it, when the broker has it and auth does not know.
    for bytes in (100..=1_500).step_by(200) {
        stage.nats_wire.cut_after(bytes);
        assert_eq!(stage.login(&ada.email, PASSWORD).await.0, 200);
        wait::until("auth is ready again", async || {
            answer(stage.to(Method::GET, "/health/ready")).await.0 == 200
        })
        .await;
    }
    stage.has_recorded(9).await;
    stage.has_taken_all_in().await;
    stage.is_one_chain_of(9).await;
}

#[actix_web::test]
async fn with_both_away_the_loss_is_counted() {
    let stage = Stage::set().await;
    let address = |request: reqwest::RequestBuilder| request.header("x-forwarded-for", "192.0.2.9");
    for name in ["a", "b", "c", "d", "e"] {
        let body = json!({"email": name, "password": "x"});
        assert_eq!(answer(address(stage.to(Method::POST, LOGIN)).json(&body)).await.0, 401);
    }
    stage.nats_wire.cut();
    stage.database_wire.cut();
    let body = json!({"email": "f", "password": "x"});
    assert_eq!(answer(address(stage.to(Method::POST, LOGIN)).json(&body)).await.0, 429);
    let metrics = stage.metrics().await;
    assert!(metrics.lines().any(|line| line.starts_with("audit_events_lost_total ")), "{metrics}");
    stage.database_wire.mend();
    stage.nats_wire.mend();
}

#[actix_web::test]
async fn replicas_that_append_at_once_make_one_chain() {
    let stage = Stage::set().await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve", "joe", "kim", "lea"] {
        people.push(stage.person(name).await);
    }
    let replica = stage.replica().await;
    let sign_in = async |url: &str, address: usize, person: &Person| {
        for _ in 0..5 {
            let body = json!({"email": person.email, "password": PASSWORD});
            let request = reqwest::Client::new().post(format!("{url}{LOGIN}")).json(&body);
            assert_eq!(answer(request.header("x-forwarded-for", format!("192.0.2.{address}"))).await.0, 200);
        }
    };
    // The one with the wire appends by itself, the other one takes from the stream.
    stage.nats_wire.cut();
    let both = people.iter().enumerate().flat_map(|(address, person)| {
        [sign_in(stage.url(), address, person), sign_in(&replica.url, address, person)]
    });
    join_all(both).await;
    stage.nats_wire.mend();
    stage.has_recorded(66).await;
    stage.has_taken_all_in().await;
    stage.is_one_chain_of(66).await;
}

#[actix_web::test]
async fn a_message_that_comes_again_adds_nothing() {
    let stage = Stage::set().await;
    let broker = stage.broker().await;
    let (one, other) = (anonymous(Action::LoginFailed), anonymous(Action::LoginLocked));
    for _ in 0..3 {
        // Without the id by which the broker knows repetitions.
        let payload = serde_json::to_vec(&one).unwrap();
        broker.client().publish(subjects::audit(one.action), payload.into()).await.unwrap();
    }
    audit::publish(&broker, &other).await.unwrap();
    stage.has_recorded(2).await;
    stage.has_taken_all_in().await;
    stage.is_one_chain_of(2).await;
}

#[actix_web::test]
async fn a_crash_between_commit_and_acknowledgement_adds_nothing() {
    let mut stage = Stage::set().await;
    stage.stop().await;
    let broker = stage.broker().await;
    streams::ensure_audit(&broker, LIMITS).await.unwrap();
    let event = anonymous(Action::LoginFailed);
    audit::publish(&broker, &event).await.unwrap();
    let pull = PullSettings {
        max_messages: 10,
        max_bytes: 1 << 20,
        expires: Duration::from_secs(5),
        ack_wait: Duration::from_secs(30),
    };
    let consumer = Consumer::of_audit(&broker, PullSettings { max_messages: 1, ..pull }).await.unwrap();
    let deliveries = consumer.pull().await.unwrap();
    assert_eq!(audit::read(&deliveries[0]).unwrap(), event);
    millrace_storage::audit::append(&mut *stage.store().await, &[event]).await.unwrap();
    deliveries[0].give_back(Duration::ZERO).await.unwrap();

    stage.restart().await;
    stage.has_taken_all_in().await;
    stage.is_one_chain_of(1).await;
}

#[actix_web::test]
async fn what_cannot_be_read_holds_nothing_up() {
    let stage = Stage::set().await;
    let broker = stage.broker().await;
    let limits = streams::StreamLimits { events_bytes: 1 << 20, dead_letters_bytes: 1 << 20, replicas: 1 };
    streams::ensure(&broker, limits).await.unwrap();
    for nonsense in ["{", r#"{"action": "login.invented"}"#] {
        broker.client().publish("audit.v1.login", nonsense.into()).await.unwrap();
    }
    audit::publish(&broker, &anonymous(Action::LoginFailed)).await.unwrap();
    stage.has_recorded(1).await;
    stage.has_taken_all_in().await;
    let dead = consumer::backlog(&broker, subjects::DEAD_LETTERS_STREAM).await.unwrap();
    assert_eq!(dead.messages, 2);
}

#[actix_web::test]
async fn whoever_hangs_up_is_recorded_all_the_same() {
    let stage = Stage::set().await;
    let ada = stage.person("ada").await;
    let body = json!({"name": "Shop"}).to_string();
    let request = format!(
        "POST /api/v1/projects HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        ada.access,
        body.len()
    );
    let mut client = stage.database.client().await;
    let blocking = client.transaction().await.unwrap();
    blocking.batch_execute("LOCK TABLE projects IN SHARE MODE").await.unwrap();
    let mut socket = TcpStream::connect(stage.url().trim_start_matches("http://")).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let looking = stage.database.client().await;
    let count = async |sql: &str| looking.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'projects'::regclass";
    wait::until("auth is about to make the project", async || count(waiting).await == 1).await;
    socket.set_zero_linger().unwrap();
    drop(socket);
    blocking.commit().await.unwrap();
    let recorded = "SELECT count(*) FROM audit_log WHERE action = 'project.created'";
    wait::until("the project is recorded", async || count(recorded).await == 1).await;
    assert_eq!(count("SELECT count(*) FROM projects").await, 1);
}

#[actix_web::test]
async fn who_sees_what() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    let (ada, bob, eve) = (stage.person("ada").await, stage.person("bob").await, stage.person("eve").await);
    let (shop, other) =
        (stage.project_of(&ada, Role::Owner).await, stage.project_of(&eve, Role::Owner).await);
    let mut store = stage.store().await;
    members::set(&mut store, shop, bob.id, Role::Editor).await.unwrap();
    for (person, project) in [(&ada, shop), (&eve, other)] {
        let body = json!({"name": "k", "scopes": ["read"]});
        assert_eq!(stage.post(&format!("/api/v1/projects/{project}/keys"), person, body).await.0, 201);
    }
    stage.has_recorded(6).await;
    let status =
        async |person: &Person, query: &str| stage.get(&format!("/api/v1/audit?{query}"), person).await.0;
    assert_eq!(stage.audit(&root, "").await.len(), 6);
    let of_shop = format!("project_id={shop}");
    assert_eq!(stage.audit(&root, &of_shop).await.len(), 1);
    let seen = stage.audit(&ada, &of_shop).await;
    assert_eq!((seen.len(), &seen[0]["project_id"]), (1, &json!(shop)));
    members::set(&mut store, shop, eve.id, Role::Admin).await.unwrap();
    assert_eq!(stage.audit(&eve, &of_shop).await.len(), 1);
    assert_eq!(status(&ada, "").await, 403, "everything is for system admins");
    assert_eq!(status(&ada, &format!("project_id={other}")).await, 404);
    assert_eq!(status(&ada, &format!("project_id={}", ProjectId::new())).await, 404);
    assert_eq!(status(&bob, &of_shop).await, 403);
    assert_eq!(answer(stage.to(Method::GET, "/api/v1/audit")).await.0, 401);
    stage.has_recorded(7).await;
    assert_eq!(stage.audit(&ada, &of_shop).await[0]["action"], "access.denied");
}

#[actix_web::test]
async fn entries_are_filtered() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    let ada = stage.person("ada").await;
    let project = stage.project_of(&ada, Role::Owner).await;
    assert_eq!(stage.login(&ada.email, "wrong").await.0, 401);
    stage.has_recorded(3).await;
    let between = Utc::now();
    let body = json!({"name": "k", "scopes": ["read"]});
    let (_, key) = stage.post(&format!("/api/v1/projects/{project}/keys"), &ada, body).await;
    stage.has_recorded(4).await;
    let between = between.format("%Y-%m-%dT%H:%M:%S%.6fZ");
    for (query, places) in [
        ("action=login.succeeded".to_owned(), vec![2, 1]),
        ("action=login.".to_owned(), vec![3, 2, 1]),
        ("action=api_key.".to_owned(), vec![4]),
        ("outcome=failure".to_owned(), vec![3]),
        ("outcome=denied".to_owned(), vec![]),
        (format!("actor={}", ada.id), vec![4, 2]),
        (format!("target={}", ada.id), vec![3]),
        (format!("target={}", text(&key["id"])), vec![4]),
        (format!("project_id={project}"), vec![4]),
        (format!("actor={}&action=login.", ada.id), vec![2]),
        (format!("from={between}"), vec![4]),
        (format!("to={between}"), vec![3, 2, 1]),
    ] {
        let found = stage.audit(&root, &query).await;
        let found: Vec<i64> = found.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
        assert_eq!(found, places, "{query}");
    }
    for (query, field) in [
        ("action=log", "action"),
        ("action=", "action"),
        ("outcome=good", "outcome"),
        ("actor=ada", "actor"),
        ("target=", "target"),
        ("target=%00", "target"),
        ("project_id=shop", "project_id"),
        ("from=yesterday", "from"),
        ("to=2026-11-20", "to"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("cursor=!", "cursor"),
        ("cursor=IngI", "cursor"),
        ("page=2", "page"),
    ] {
        let (status, problem) = stage.get(&format!("/api/v1/audit?{query}"), &root).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{query}: {problem}");
    }
}

#[actix_web::test]
async fn pages_hold_still_while_new_entries_arrive() {
    let stage = Stage::set().await;
    let root = stage.system_admin("root").await;
    stage.has_recorded(1).await;
    let mut store = stage.store().await;
    let events: Vec<_> = (0..6).map(|_| anonymous(Action::LoginFailed)).collect();
    millrace_storage::audit::append(&mut store, &events).await.unwrap();
    let (mut seen, mut path) = (Vec::new(), "/api/v1/audit?limit=3".to_owned());
    loop {
        let (_, page) = stage.get(&path, &root).await;
        seen.extend(page["data"].as_array().unwrap().iter().map(|entry| entry["seq"].as_i64().unwrap()));
        let new = anonymous(Action::LoginFailed).on(Target::Account(root.id));
        millrace_storage::audit::append(&mut store, &[new]).await.unwrap();
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/audit?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

#[actix_web::test]
async fn projects_keys_and_members_come_in_pages() {
    let stage = Stage::set().await;
    let (root, ada) = (stage.system_admin("root").await, stage.person("ada").await);
    let mut projects = BTreeSet::new();
    for _ in 0..5 {
        projects.insert(stage.project_of(&ada, Role::Owner).await);
    }
    let project = *projects.first().unwrap();
    let mut store = stage.store().await;
    for name in ["bob", "eve", "joe", "kim"] {
        let new = accounts::NewAccount {
            email: &format!("{name}@example.com"),
            password_hash: "",
            full_name: None,
            is_admin: false,
            email_verified: true,
        };
        let member = accounts::create(&mut store, new).await.unwrap().id;
        members::set(&mut store, project, member, Role::Viewer).await.unwrap();
        let body = json!({"name": name, "scopes": ["read"]});
        assert_eq!(stage.post(&format!("/api/v1/projects/{project}/keys"), &ada, body).await.0, 201);
    }
    let keys = format!("/api/v1/projects/{project}/keys");
    let members = format!("/api/v1/projects/{project}/members");
    for (path, person, entries, sizes) in [
        ("/api/v1/projects", &ada, 5, vec![2, 2, 1]),
        ("/api/v1/projects", &root, 5, vec![2, 2, 1]),
        (&keys, &ada, 4, vec![2, 2]),
        (&members, &ada, 5, vec![2, 2, 1]),
    ] {
        let (mut seen, mut found, mut query) = (BTreeSet::new(), Vec::new(), "limit=2".to_owned());
        loop {
            let (status, page) = stage.get(&format!("{path}?{query}"), person).await;
            assert_eq!(status, 200, "{page}");
            let data = page["data"].as_array().unwrap();
            found.push(data.len());
            seen.extend(data.iter().map(|one| one.get("id").unwrap_or(&one["account_id"]).to_string()));
            match page["next_cursor"].as_str() {
                Some(cursor) => query = format!("limit=2&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!((seen.len(), found), (entries, sizes), "{path}");
        let (_, whole) = stage.get(path, person).await;
        assert_eq!((whole["data"].as_array().unwrap().len(), &whole["next_cursor"]), (entries, &Value::Null));
        let (status, problem) = stage.get(&format!("{path}?cursor=x"), person).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!("cursor")), "{path}");
    }
}
