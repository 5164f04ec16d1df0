//! Notifications that somebody missed who was away.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;

use chrono::Utc;
use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_messaging::broker::Broker;
use millrace_messaging::notifications::notify;
use millrace_storage::members;
use millrace_testkit::wait;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use uuid::Uuid;

use crate::gateway::{DEADLINE, client, nobody};
use crate::socket::Socket;
use crate::stage::Stage;

const MISSED: &str = "/api/v1/notifications";
const SOCKET: &str = "/ws/notifications";

/// Tells of a job, once the stream of notifications is there. Returns what it is known by.
async fn tell(broker: &Broker, project: ProjectId, change: impl Fn(Notification) -> Notification) -> String {
    let about = About { job_id: Some(Uuid::now_v7()), ..About::default() };
    let told = change(Notification::new(NotificationKind::JobCreated, about, Utc::now()));
    wait::until("the broker keeps it", async || notify(broker, project, &told).await.is_ok()).await;
    told.id.to_string()
}

/// What is missed since `cursor`, page by page, and the cursor behind it.
async fn missed(
    gateway: &str,
    credentials: (&str, &str),
    cursor: Option<&str>,
    limit: usize,
) -> (Vec<String>, String) {
    let (mut ids, mut since) = (Vec::new(), cursor.map(str::to_owned));
    loop {
        let cursor = since.map(|cursor| format!("&since={cursor}")).unwrap_or_default();
        let request = client().get(format!("{gateway}{MISSED}?limit={limit}{cursor}"));
        let answer = request.header(credentials.0, credentials.1).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let page: Value = answer.json().await.unwrap();
        let told = page["data"].as_array().unwrap();
        assert!(told.len() <= limit && page["complete"] == true, "{page}");
        ids.extend(told.iter().map(|told| told["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => since = Some(next.to_owned()),
            None => return (ids, page["cursor"].as_str().unwrap().to_owned()),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_away_is_told_the_rest_and_only_what_is_theirs_to_know() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let ((ada_email, ada), (bob_email, bob)) = (stage.person("ada").await, stage.person("bob").await);
    let shop = stage.project_of(ada).await;
    members::set(&mut *stage.store().await, shop, bob, Role::Viewer).await.unwrap();
    let elsewhere = stage.project_of(stage.person("eve").await.1).await;
    let (key, stranger) = (stage.key(shop, &[Scope::Read]).await, stage.key(elsewhere, &[Scope::Read]).await);
    let broker = stage.broker().await;

    let first = tell(&broker, shop, |told| told).await;
    let theirs = tell(&broker, elsewhere, |told| told).await;
    let for_bob = tell(&broker, shop, |told| told.for_account(bob)).await;
    let last = tell(&broker, shop, |told| told).await;

    let url = gateway.url("");
    let token = async |email: &str| format!("Bearer {}", stage.token(&gateway, email).await);
    let (ada_token, bob_token) = (token(&ada_email).await, token(&bob_email).await);
    for limit in [1, 200] {
        assert_eq!(missed(&url, ("authorization", &ada_token), None, limit).await.0, [first.as_str(), &last]);
        assert_eq!(
            missed(&url, ("authorization", &bob_token), None, limit).await.0,
            [first.as_str(), &for_bob, &last]
        );
        assert_eq!(missed(&url, ("x-api-key", key.reveal()), None, limit).await.0, [first.as_str(), &last]);
        assert_eq!(missed(&url, ("x-api-key", stranger.reveal()), None, limit).await.0, [theirs.as_str()]);
    }
    let (_, cursor) = missed(&url, ("authorization", &ada_token), None, 200).await;
    assert_eq!(
        missed(&url, ("authorization", &ada_token), Some(&cursor), 200).await,
        (vec![], cursor.clone())
    );
    let next = tell(&broker, shop, |told| told).await;
    assert_eq!(missed(&url, ("authorization", &ada_token), Some(&cursor), 200).await.0, [next]);

    let ask = async |query: &str, token: &str| {
        let request = client().get(gateway.url(&format!("{MISSED}{query}"))).header("authorization", token);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    for query in ["?since=yesterday", "?limit=0", "?limit=201", "?until=1"] {
        assert_eq!(ask(query, &ada_token).await.0, 422, "{query}");
    }
    assert_eq!(ask(&format!("?project_id={elsewhere}"), &ada_token).await.0, 404);
    assert_eq!(ask("", "Bearer a.b.c").await.0, 401);
    let (status, lost) = ask("?since=999999", &ada_token).await;
    assert_eq!((status, &lost["complete"]), (200, &false.into()), "a cursor of a stream that is gone");
}

/// A gateway as operators run it: a process of its own, which can be killed.
async fn process(stage: &Stage) -> (Child, SocketAddr) {
    let settings = stage.settings(nobody());
    let mut process = Command::new(env!("CARGO_BIN_EXE_millrace-gateway"))
        .env_clear()
        .env("MILLRACE_BIND", "127.0.0.1:0")
        .env("MILLRACE_AUTH_URL", stage.auth_url())
        .env("NATS_URL", &settings.nats_url)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = loop {
        let line =
            timeout(DEADLINE, log.next_line()).await.unwrap().unwrap().expect("it logs where it listens");
        let entry: Value = serde_json::from_str(&line).unwrap();
        if let Some(address) = entry["address"].as_str() {
            break address.parse().unwrap();
        }
    };
    // Its log must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (process, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_gateway_is_killed_its_clients_find_at_another_what_they_missed() {
    let stage = Stage::set().await;
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let headers = [("x-api-key", key.reveal())];
    let broker = stage.broker().await;
    tell(&broker, shop, |told| told).await;
    let (mut first, at_first) = process(&stage).await;
    let other = stage.gateway();

    let mut socket = Socket::open_in_time(at_first, SOCKET, &headers).await;
    let ready = socket.told().await;
    let mut cursor = ready["cursor"].as_str().unwrap().to_owned();
    let mut sent = BTreeSet::new();
    let mut heard = BTreeSet::new();
    for n in 0..40 {
        sent.insert(tell(&broker, shop, |told| told).await);
        match n {
            // It hears some of them, and stops listening in the middle of the others.
            10 => {
                while heard.len() < 3 {
                    let told = socket.told_of("notification").await;
                    cursor = told["cursor"].as_str().unwrap().to_owned();
                    heard.insert(told["id"].as_str().unwrap().to_owned());
                }
            }
            20 => first.kill().await.unwrap(),
            _ => {}
        }
    }
    let mut again = Socket::open_in_time(&other, SOCKET, &headers).await;
    assert_eq!(again.told().await["type"], "ready");
    let live = tell(&broker, shop, |told| told).await;
    let (rest, _) = missed(&other.url(""), headers[0], Some(&cursor), 7).await;
    assert!(heard.is_disjoint(&rest.iter().cloned().collect()), "the cursor is behind what was heard");
    heard.extend(rest);
    heard.extend([again.told_of("notification").await["id"].as_str().unwrap().to_owned()]);
    sent.insert(live);
    assert_eq!(heard, sent);
}
