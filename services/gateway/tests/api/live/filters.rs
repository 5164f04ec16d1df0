//! What clients ask for.

use millrace_domain::access::Scope;
use serde_json::json;

use super::{LIVE, show, until_told, users};
use crate::socket::Socket;
use crate::stage::Stage;

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
