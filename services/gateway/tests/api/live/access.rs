//! Who sees what is accepted, and for how long.

use std::time::Duration;

use millrace_domain::access::{Role, Scope};
use millrace_messaging::revocations::{self, Revoked};
use millrace_messaging::streams::StreamLimits;
use millrace_runtime::launch::Process;
use millrace_storage::members;
use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{LIVE, NOON, show, until_told, users};
use crate::browser::Browser;
use crate::gateway::{Gateway, client, nobody};
use crate::socket::{Refused, Socket};
use crate::stage::Stage;

impl Stage {
    /// An ingest that writes to the log, for as long as the guard lives.
    async fn ingest(&self) -> (std::net::SocketAddr, DropGuard) {
        let shutdown = CancellationToken::new();
        let config = millrace_ingest::config::Config {
            bind: ([127, 0, 0, 1], 0).into(),
            socket: None,
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
