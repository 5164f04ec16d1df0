//! What somebody who watches costs.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use millrace_domain::access::Scope;
use millrace_messaging::subjects;
use millrace_testkit::story::did;
use serde_json::json;

use super::Door;
use crate::socket::Socket;
use crate::stage::Stage;

const LIVE: &str = "/api/v1/live";
const CLIENTS: u64 = 500;
/// What a client may cost, the largest event that there is included.
const MOST_KIB: u64 = 40;
const LARGEST: usize = 32 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_watches_costs_less_than_40_kib_whatever_it_was_told() {
    let stage = Stage::set().await;
    let shop = stage.project_of(stage.person("ada").await.1).await;
    let key = stage.key(shop, &[Scope::Read]).await;
    let door = Door::open(&[("NATS_URL", stage.nats.url())]).await;
    let broker = stage.broker().await;
    let open = async || Socket::open_in_time(door.address, LIVE, &[("x-api-key", key.reveal())]).await;
    let tell = async || {
        let text = "x".repeat(LARGEST - 500);
        let event =
            did("ada", "seen", "2026-11-01T12:00:00Z").with("properties", json!({"text": text})).json();
        let message = json!({"accepted": 1, "sample_rate": 1.0, "events": [event]}).to_string();
        broker.client().publish(subjects::live(shop), message.into()).await.unwrap();
        broker.client().flush().await.unwrap();
    };
    // What the first costs is there for all of them. The broker may learn a moment later that somebody listens.
    let mut first = open().await;
    let tells = async {
        loop {
            tell().await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        _ = first.told_of("events") => {}
        () = tells => unreachable!("it does not end"),
    }
    let before = door.memory("VmRSS");

    let opening = stream::iter(0..CLIENTS).map(async |_| {
        let mut socket = open().await;
        assert_eq!(socket.told().await["type"], "ready");
        socket
    });
    let mut sockets: Vec<_> = opening.buffer_unordered(50).collect().await;
    let connected = door.memory("VmRSS");
    tell().await;
    for socket in &mut sockets {
        let told = socket.told_of("events").await;
        assert!(told.to_string().len() > LARGEST - 500);
    }
    let after = door.memory("VmRSS");
    let each = |now: u64| (now - before) * 1024 / CLIENTS;
    println!("a client costs {} KiB, and {} KiB once it was told", each(connected), each(after));
    assert!(
        each(after) < MOST_KIB,
        "{before} MiB, {connected} MiB with clients, {after} MiB once they were told"
    );
}
