//! Every event becomes one entry, whatever is away and whatever comes twice.

use std::time::Duration;

use futures_util::future::join_all;
use millrace_domain::audit::action::Action;
use millrace_messaging::consumer::{self, Consumer, PullSettings};
use millrace_messaging::streams::{self, AuditLimits};
use millrace_messaging::{audit, subjects};
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{LOGIN, anonymous};
use crate::stage::{PASSWORD, Person, Stage, answer};

const LIMITS: AuditLimits = AuditLimits { bytes: 16 << 20, replicas: 1 };

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
    stage.is_well().await;
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
        stage.is_well().await;
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
    // Auth makes the stream a moment after it listens.
    streams::ensure_audit(&broker, LIMITS).await.unwrap();
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
        max_deliveries: None,
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
    streams::ensure_audit(&broker, LIMITS).await.unwrap();
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
