//! Receivers that do not take what they are sent.

use millrace_domain::access::Role;
use millrace_testkit::wait;
use serde_json::{Value, json};

use super::{ALERTS, above, shop, told};
use crate::people::Person;
use crate::receiver::Receiver;
use crate::stage::Stage;

#[actix_web::test]
async fn what_ten_tries_could_not_deliver_is_given_up_and_can_be_sent_again() {
    let stage = Stage::set().await;
    let (shop, ada, insight) = shop(&stage).await;
    let viewer = Person::member(&stage, shop.id, "viewer", Role::Viewer).await;
    let receiver = Receiver::start();
    let webhook = receiver.url("/busy-eleven-times");
    let content = json!({"insight_id": insight, "name": "A", "condition": above(1.0), "webhook": webhook});
    let path = format!("{ALERTS}/{}", ada.post(&stage, ALERTS, content).await.good().id());
    let database = stage.database.client().await;
    let settled = async || {
        wait::until_some("it is settled", async || {
            // The pauses between the tries take half a day. What is in hand has no error yet.
            let now = "UPDATE alert_deliveries SET due_at = now(), error = NULL
                        WHERE status = 'pending' AND error IS NOT NULL";
            database.execute(now, &[]).await.unwrap();
            let history = ada.get(&stage, &format!("{path}/history")).await.good().body;
            let event = history["data"][0].clone();
            let delivery = event["deliveries"][1].clone();
            (delivery["status"].is_string() && delivery["status"] != "pending").then_some((event, delivery))
        })
        .await
    };
    let (event, dead) = settled().await;
    assert_eq!((&dead["status"], &dead["attempts"]), (&json!("dead"), &json!(10)));
    assert_eq!(dead["error"], "the receiver answers 500");

    let retry = format!("{path}/history/{}/deliveries/webhook/retry", event["id"].as_str().unwrap());
    assert_eq!(viewer.post(&stage, &retry, Value::Null).await.status, 403);
    let again = ada.post(&stage, &retry, Value::Null).await.good();
    assert_eq!((&again.body["status"], &again.body["settled_at"]), (&json!("pending"), &Value::Null));
    let (_, dead) = settled().await;
    assert_eq!((&dead["status"], &dead["attempts"]), (&json!("dead"), &json!(11)), "it is tried once");

    ada.post(&stage, &retry, Value::Null).await.good();
    let (_, delivered) = settled().await;
    assert_eq!((&delivered["status"], &delivered["attempts"]), (&json!("delivered"), &json!(12)));
    assert_eq!(receiver.next().await.path, "/busy-eleven-times");
    assert_eq!(ada.post(&stage, &retry, Value::Null).await.status, 409, "it is delivered");
    for unknown in ["pigeon", "mail"] {
        let unknown = retry.replace("webhook", unknown);
        assert_eq!(ada.post(&stage, &unknown, Value::Null).await.status, 404);
    }
}

#[actix_web::test]
async fn a_receiver_that_fails_is_asked_again_and_a_redirect_leads_nowhere() {
    let stage = Stage::set().await;
    let (_, ada, insight) = shop(&stage).await;
    let receiver = Receiver::start();
    let alert = async |path: &str| {
        let content = json!({"insight_id": insight, "name": path, "condition": above(1.0), "webhook": receiver.url(path)});
        format!("{ALERTS}/{}", ada.post(&stage, ALERTS, content).await.good().id())
    };
    let (busy, gone, away) = (alert("/busy-once").await, alert("/gone").await, alert("/redirect").await);
    let webhook = async |path: &str, events: usize| {
        let history = told(&stage, &ada, path, events).await;
        history[0]["deliveries"][1].clone()
    };
    let delivered = webhook(&busy, 1).await;
    assert_eq!((&delivered["status"], &delivered["attempts"]), (&json!("delivered"), &json!(2)));
    let dead = webhook(&gone, 1).await;
    assert_eq!((&dead["status"], &dead["attempts"]), (&json!("dead"), &json!(1)));
    let waits = wait::until_some("it was tried", async || {
        let history = ada.get(&stage, &format!("{away}/history")).await.good().body;
        let webhook = history["data"][0]["deliveries"][1].clone();
        webhook["error"].is_string().then_some(webhook)
    })
    .await;
    assert_eq!((&waits["status"], &waits["error"]), (&json!("pending"), &json!("the receiver answers 302")));
    assert_eq!(receiver.next().await.path, "/busy-once");
    assert!(receiver.nothing_more(), "nobody followed the redirect");
}
