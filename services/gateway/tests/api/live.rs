//! Events as they are accepted, over WebSockets.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_domain::access::{Role, Scope};
use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::revocations::{self, Revoked};
use millrace_messaging::streams::StreamLimits;
use millrace_messaging::subjects;
use millrace_runtime::launch::Process;
use millrace_security::api_key::ApiKey;
use millrace_storage::api_keys::{self, NewApiKey};
use millrace_storage::members;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::browser::Browser;
use crate::gateway::{Gateway, client, nobody};
use crate::socket::{Refused, Socket};
use crate::stage::{PASSWORD, Stage};

const LIVE: &str = "/api/v1/live";
const NOON: &str = "2026-11-01T12:00:00Z";

impl Stage {
    /// A key to a project.
    pub(crate) async fn key(&self, project: ProjectId, scopes: &[Scope]) -> ApiKey {
        let key = ApiKey::generate().unwrap();
        let new =
            NewApiKey { name: "story", hash: &key.hash().0, shown: key.shown(), scopes, expires_at: None };
        api_keys::create(&mut *self.store().await, project, new).await.unwrap();
        key
    }

    /// A person's access token.
    pub(crate) async fn token(&self, gateway: &Gateway, email: &str) -> String {
        let body = json!({"email": email, "password": PASSWORD});
        let login = client().post(gateway.url("/api/v1/auth/login")).json(&body);
        let granted: Value = login.send().await.unwrap().json().await.unwrap();
        granted["access_token"].as_str().unwrap().to_owned()
    }

    /// An ingest that writes to the log, for as long as the guard lives.
    async fn ingest(&self) -> (std::net::SocketAddr, DropGuard) {
        let shutdown = CancellationToken::new();
        let config = millrace_ingest::config::Config {
            bind: ([127, 0, 0, 1], 0).into(),
            nats_url: self.nats.url().to_owned(),
            redis_url: "redis://127.0.0.1:1".to_owned(),
            publish_timeout: Duration::from_secs(2),
            stored_timeout: Duration::from_secs(10),
            duplicate_window: Duration::from_secs(600),
            body_budget: 64 << 20,
            passes_addresses_on: None,
            streams: StreamLimits { events_bytes: 64 << 20, dead_letters_bytes: 16 << 20, replicas: 1 },
            shutdown_grace: Duration::from_secs(15),
        };
        let process = Process { shutdown: shutdown.clone(), metrics: None };
        let app = millrace_ingest::app::App::build(config, process).await.unwrap();
        let address = app.address().unwrap();
        tokio::spawn(async move { app.run().await.map_err(|e| e.to_string()) });
        (address, shutdown.drop_guard())
    }
}

/// What an ingest shows of events of these types and users.
async fn show(broker: &Broker, project: ProjectId, events: &[(&str, &str)]) {
    let events: Vec<Value> =
        events.iter().map(|(event_type, user)| did(user, event_type, NOON).json()).collect();
    let message = json!({"accepted": events.len(), "sample_rate": 1.0, "events": events}).to_string();
    broker.client().publish(subjects::live(project), message.into()).await.unwrap();
    broker.client().flush().await.unwrap();
}

/// Shows events until one of them is told: the gateway may not listen yet.
async fn until_told(broker: &Broker, project: ProjectId, socket: &mut Socket) -> Value {
    let shows = async {
        loop {
            show(broker, project, &[("first", "ada")]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        told = socket.told_of("events") => told,
        () = shows => unreachable!("it does not end"),
    }
}

fn users(told: &Value) -> BTreeSet<String> {
    let events = told["events"].as_array().unwrap().iter();
    events.map(|event| event["user_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_read_a_project_sees_what_is_accepted() {
    let stage = Stage::set().await;
    let (ingest, _ingesting) = stage.ingest().await;
    let mut settings = stage.settings(nobody());
    settings.origins.ingest = format!("http://{ingest}").parse().unwrap();
    let gateway = Gateway::with(settings);
    let (email, ada) = stage.person("ada").await;
    let shop = stage.project_of(ada).await;
    let key = stage.key(shop, &[Scope::Read, Scope::Ingest]).await;
    let elsewhere = stage.project_of(stage.person("eve").await.1).await;
    let stranger = stage.key(elsewhere, &[Scope::Read]).await;
    let browser = Browser::of(&gateway, &email).await;
    let token = stage.token(&gateway, &email).await;
    let cookie = format!("millrace_session={}", browser.session());
    let origin = gateway.url("");

    let ticket = client().post(gateway.url("/api/v1/live/tickets")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(
        (ticket.status().as_u16(), &ticket.headers()["cache-control"]),
        (201, &"no-store".parse().unwrap())
    );
    let ticket: Value = ticket.json().await.unwrap();
    assert_eq!(ticket["project_id"], shop.to_string());
    let ticketed = format!("{LIVE}?ticket={}", ticket["ticket"].as_str().unwrap());

    let mut sockets = vec![
        Socket::ready(&gateway, LIVE, &[("x-api-key", key.reveal())]).await,
        Socket::ready(&gateway, LIVE, &[("authorization", &format!("Bearer {token}"))]).await,
        Socket::ready(&gateway, LIVE, &[("cookie", &cookie), ("origin", &origin)]).await,
        Socket::ready(&gateway, &ticketed, &[("origin", "https://shop.example")]).await,
    ];
    let mut other = Socket::ready(&gateway, LIVE, &[("x-api-key", stranger.reveal())]).await;

    let send = async |user: &str| {
        let event = did(user, "paid", NOON).with("properties", json!({"price": 1.5})).json();
        let request = client().post(gateway.url("/api/v1/events")).header("x-api-key", key.reveal());
        assert_eq!(request.json(&event).send().await.unwrap().status(), 202);
        event
    };
    let sends = async {
        loop {
            send("warm-up").await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        told = sockets[0].told_of("events") => assert_eq!(told["sample_rate"], 1.0),
        () = sends => unreachable!("it does not end"),
    }
    let sent = send("bob").await;
    for socket in &mut sockets {
        let told = loop {
            let told = socket.told_of("events").await;
            if let Some(event) = told["events"].as_array().unwrap().iter().find(|e| e["user_id"] == "bob") {
                break event.clone();
            }
        };
        assert_eq!((&told["event_id"], &told["properties"]), (&sent["event_id"], &json!({"price": 1.5})));
    }
    show(&stage.broker().await, elsewhere, &[("theirs", "eve")]).await;
    let told = until_told(&stage.broker().await, elsewhere, &mut other).await;
    assert!(!users(&told).contains("bob"), "{told}");

    let again = Socket::open(&gateway, &ticketed, &[]).await.map(drop);
    assert_eq!(again.unwrap_err(), Refused { status: 401, code: "unauthenticated".to_owned() });
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_does() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let ((email, ada), (_, eve)) = (stage.person("ada").await, stage.person("eve").await);
    let (shop, theirs) = (stage.project_of(ada).await, stage.project_of(eve).await);
    let sends_only = stage.key(shop, &[Scope::Ingest]).await;
    let browser = Browser::of(&gateway, &email).await;
    let cookie = format!("millrace_session={}", browser.session());
    let token = format!("Bearer {}", stage.token(&gateway, &email).await);
    let theirs = format!("{LIVE}?project_id={theirs}");
    for (path, headers, status, code) in [
        (LIVE, vec![], 401, "unauthenticated"),
        (LIVE, vec![("x-api-key", "mr_made-up")], 401, "unauthenticated"),
        (LIVE, vec![("x-api-key", sends_only.reveal())], 403, "forbidden"),
        (theirs.as_str(), vec![("authorization", token.as_str())], 404, "not_found"),
        (LIVE, vec![("cookie", cookie.as_str()), ("origin", "https://evil.example")], 403, "csrf"),
        ("/api/v1/live?ticket=mrt_made-up", vec![("authorization", token.as_str())], 401, "unauthenticated"),
        ("/api/v1/live?event=paid", vec![("authorization", token.as_str())], 422, "invalid"),
        ("/ws/notifications?event_type=paid", vec![("authorization", token.as_str())], 422, "invalid"),
    ] {
        let refused = Socket::open(&gateway, path, &headers).await.map(drop).unwrap_err();
        assert_eq!(refused, Refused { status, code: code.to_owned() }, "{path} {headers:?}");
    }
    let plain = client().get(gateway.url(LIVE)).header("authorization", &token).send().await.unwrap();
    assert_eq!(plain.status(), 400, "it is a WebSocket");
    let forged = client().post(gateway.url("/api/v1/live/tickets")).header("cookie", &cookie);
    assert_eq!(forged.send().await.unwrap().status(), 403, "without the CSRF token");

    stage.project_of(ada).await;
    revocations::announce(&stage.broker().await, &Revoked::Roles { account_id: ada }).await.unwrap();
    let two = Refused { status: 422, code: "invalid".to_owned() };
    wait::until("she has two projects", async || {
        Socket::open(&gateway, LIVE, &[("authorization", &token)]).await.is_err_and(|refused| refused == two)
    })
    .await;
    Socket::ready(&gateway, &format!("{LIVE}?project_id={shop}"), &[("authorization", &token)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_what_it_has_asked_for() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let headers = [("x-api-key", key.reveal())];
    let broker = stage.broker().await;
    let path = format!("{LIVE}?event_type=paid&event_type=seen&user_id=bob");
    let (mut picky, mut all) =
        (Socket::ready(&gateway, &path, &headers).await, Socket::ready(&gateway, LIVE, &headers).await);
    until_told(&broker, shop, &mut all).await;
    show(&broker, shop, &[("paid", "bob"), ("paid", "eve"), ("left", "bob")]).await;
    let told = picky.told_of("events").await;
    assert_eq!(told["events"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(
        (&told["events"][0]["event_type"], &told["events"][0]["user_id"]),
        (&json!("paid"), &json!("bob"))
    );

    picky.say(r#"{"event_types": ["left"]}"#).await;
    let told = picky.told().await;
    assert_eq!(told, json!({"type": "filter", "event_types": ["left"], "user_ids": []}));
    show(&broker, shop, &[("left", "eve"), ("paid", "bob")]).await;
    let told = picky.told_of("events").await;
    assert_eq!(users(&told), ["eve".to_owned()].into());

    picky.say(r#"{"types": []}"#).await;
    let (code, reason) = picky.ended().await;
    assert!(code == 1008 && reason.contains("unknown field `types`"), "{reason}");
    let fresh = async || Socket::ready(&gateway, LIVE, &headers).await;
    let mut socket = fresh().await;
    socket.say_bytes(vec![1]).await;
    assert_eq!(socket.ended().await.0, 1003);
    let mut socket = fresh().await;
    socket.say(&" ".repeat(17 << 10)).await;
    assert_eq!(socket.ended().await.0, 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_the_right_loses_the_socket() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let (email, ada) = stage.person("ada").await;
    let shop = stage.project_of(ada).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let (bob_email, bob) = stage.person("bob").await;
    members::set(&mut *stage.store().await, shop, bob, Role::Viewer).await.unwrap();
    let bearer = |token: String| format!("Bearer {token}");
    let (ada_token, bob_token) =
        (bearer(stage.token(&gateway, &email).await), bearer(stage.token(&gateway, &bob_email).await));
    let browser = Browser::of(&gateway, &email).await;
    let cookie = format!("millrace_session={}", browser.session());
    let mut by_key = Socket::ready(&gateway, LIVE, &[("x-api-key", key.reveal())]).await;
    let mut signed_out = Socket::ready(&gateway, LIVE, &[("cookie", &cookie)]).await;
    let mut dismissed = Socket::ready(&gateway, LIVE, &[("authorization", &bob_token)]).await;
    let mut stays = Socket::ready(&gateway, LIVE, &[("authorization", &ada_token)]).await;

    assert_eq!(browser.post("/api/v1/auth/logout", json!({})).await.status, 204);
    assert_eq!(signed_out.ended().await.0, 4401);
    let remove = client().delete(gateway.url(&format!("/api/v1/projects/{shop}/members/{bob}")));
    assert_eq!(remove.header("authorization", &ada_token).send().await.unwrap().status(), 204);
    let (code, reason) = dismissed.ended().await;
    assert!(code == 4401 && reason.contains("no such project"), "{code} {reason}");
    let keys = gateway.url(&format!("/api/v1/projects/{shop}/keys"));
    let list = client().get(&keys).header("authorization", &ada_token).send().await.unwrap();
    let list: Value = list.json().await.unwrap();
    let id = list["data"][0]["id"].as_str().unwrap();
    let revoke = client().delete(format!("{keys}/{id}")).header("authorization", &ada_token);
    assert!(revoke.send().await.unwrap().status().is_success());
    assert_eq!(by_key.ended().await, (4401, "the API key is unknown, revoked or expired".to_owned()));

    until_told(&stage.broker().await, shop, &mut stays).await;
    revocations::announce(&stage.broker().await, &Revoked::SigningKeys).await.unwrap();
    until_told(&stage.broker().await, shop, &mut stays).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_keep_up_is_told_and_left_behind() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let mut quick = Socket::ready(&gateway, LIVE, &[("x-api-key", key.reveal())]).await;
    let connection = TcpSocket::new_v4().unwrap();
    connection.set_recv_buffer_size(4 << 10).unwrap();
    let connection = connection.connect(gateway.address).await.unwrap();
    let mut slow = Socket::over(connection, &format!("ws://{}{LIVE}", gateway.address), key.reveal()).await;
    assert_eq!(slow.told().await["type"], "ready");
    let broker = stage.broker().await;
    until_told(&broker, shop, &mut quick).await;

    // The slow one reads nothing, and is behind by more than anybody keeps for it.
    let text = "x".repeat(20 << 10);
    let large = did("ada", "seen", NOON).with("properties", json!({"text": text})).json();
    let message = json!({"accepted": 20, "sample_rate": 1.0, "events": vec![large; 20]}).to_string();
    for _ in 0..60 {
        broker.client().publish(subjects::live(shop), message.clone().into()).await.unwrap();
        assert_eq!(quick.told_of("events").await["events"].as_array().unwrap().len(), 20);
    }
    let (code, reason) = slow.ended().await;
    assert!(code == 1013 && reason.starts_with("too slow"), "{code} {reason}");
    show(&broker, shop, &[("last", "bob")]).await;
    assert_eq!(users(&quick.told_of("events").await), ["bob".to_owned()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_answer_is_let_go() {
    let stage = Stage::set().await;
    let mut settings = stage.settings(nobody());
    settings.sockets.heartbeat = Duration::from_millis(100);
    settings.sockets.most = 2;
    let gateway = Gateway::with(settings);
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let headers = [("x-api-key", key.reveal())];
    // It does not look at what comes, and so does not answer pings.
    let mut absent = Socket::ready(&gateway, LIVE, &headers).await;
    let mut present = Socket::ready(&gateway, LIVE, &headers).await;
    let full = Socket::open(&gateway, LIVE, &headers).await.map(drop).unwrap_err();
    assert_eq!(full, Refused { status: 503, code: "unavailable".to_owned() });
    let broker = stage.broker().await;
    let room =
        wait::until("there is room again", async || Socket::open(&gateway, LIVE, &headers).await.is_ok());
    let watches = async {
        loop {
            until_told(&broker, shop, &mut present).await;
        }
    };
    tokio::select! {
        () = room => {}
        () = watches => unreachable!("it does not end"),
    }
    assert_eq!(absent.ended().await.0, 4408);
    until_told(&broker, shop, &mut present).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_says_so_and_its_clients_go_to_another() {
    let stage = Stage::set().await;
    let redis = TestRedis::isolated().await;
    let with_redis = || {
        let mut settings = stage.settings(nobody());
        settings.redis_url = Some(redis.url().to_owned());
        Gateway::with(settings)
    };
    let (mut first, second) = (with_redis(), with_redis());
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let mut socket = Socket::ready(&first, LIVE, &[("x-api-key", key.reveal())]).await;
    let ticket = client().post(first.url("/api/v1/live/tickets")).header("x-api-key", key.reveal());
    let ticket: Value = ticket.send().await.unwrap().json().await.unwrap();
    first.stop();
    assert_eq!(socket.ended().await.0, 1012);
    drop(socket);
    first.ended().await.unwrap();
    let ticketed = format!("{LIVE}?ticket={}", ticket["ticket"].as_str().unwrap());
    let mut socket = Socket::ready(&second, &ticketed, &[]).await;
    until_told(&stage.broker().await, shop, &mut socket).await;
}
