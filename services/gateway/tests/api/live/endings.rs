//! Clients that are too slow or gone, and gateways that stop.

use std::time::Duration;

use millrace_domain::access::Scope;
use millrace_messaging::subjects;
use millrace_testkit::redis::TestRedis;
use millrace_testkit::story::did;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::{LIVE, NOON, show, until_told, users};
use crate::gateway::{Gateway, client, nobody};
use crate::socket::{Refused, Socket};
use crate::stage::Stage;

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
    // A ticket is good once, whatever becomes of it: the other gateway must have found auth before.
    drop(Socket::ready(&second, LIVE, &[("x-api-key", key.reveal())]).await);
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
