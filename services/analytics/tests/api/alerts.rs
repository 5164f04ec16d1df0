//! Alerts: who makes them, when they fire, and who hears of it.

use std::collections::BTreeSet;

use chrono::{Days, Utc};
use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use millrace_security::webhook_signature::WebhookSecret;
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::chronicle::{did, tell};
use crate::killed::replica;
use crate::people::{Person, Reply};
use crate::receiver::Receiver;
use crate::stage::{Project, Stage};

mod access;
mod deliveries;

const ALERTS: &str = "/api/v1/alerts";

pub(crate) fn above(value: f64) -> Value {
    json!({"kind": "threshold", "direction": "above", "value": value})
}

/// A shop that had two orders the day before yesterday and five yesterday, and an insight that counts them.
async fn shop(stage: &Stage) -> (Project, Person, String) {
    let shop = stage.project("UTC").await;
    let ada = Person::member(stage, shop.id, "ada", Role::Editor).await;
    let today = Utc::now().date_naive();
    let order = |days: u64| did("bob", "order", &format!("{}T12:00:00Z", today - Days::new(days)));
    let orders: Vec<_> = [2, 2, 1, 1, 1, 1, 1].map(order).into();
    tell(&mut stage.teller(), &shop, &orders).await;
    let query = json!({"kind": "trends", "event_type": "order", "last": "7d"});
    let insight =
        ada.post(stage, "/api/v1/insights", json!({"title": "Orders", "query": query})).await.good();
    (shop, ada, insight.id())
}

/// The alert once it has looked and stands so.
async fn once(stage: &Stage, person: &Person, path: &str, firing: bool) -> Reply {
    wait::until_some("it has looked", async || {
        let alert = person.get(stage, path).await.good();
        (alert.body["firing"] == firing && alert.body["evaluated_at"].is_string()).then_some(alert)
    })
    .await
}

/// Its history, once all who are to hear of `events` events have.
async fn told(stage: &Stage, person: &Person, path: &str, events: usize) -> Vec<Value> {
    wait::until_some("everybody has heard of it", async || {
        let history = person.get(stage, &format!("{path}/history")).await.good().body;
        let data = history["data"].as_array().unwrap();
        let heard = |event: &Value| {
            event["deliveries"].as_array().unwrap().iter().all(|delivery| delivery["status"] != "pending")
        };
        (data.len() == events && data.iter().all(heard)).then(|| data.clone())
    })
    .await
}

#[actix_web::test]
async fn an_alert_fires_tells_those_who_are_to_hear_and_is_over() {
    let stage = Stage::set().await;
    let (shop, ada, insight) = shop(&stage).await;
    let receiver = Receiver::start();
    let content = json!({
        "insight_id": insight, "name": "Many orders", "condition": above(4.0), "webhook": receiver.url("/hook"),
        "enabled": false,
    });
    let made = ada.post(&stage, ALERTS, content).await.good();
    assert_eq!((made.status, made.tag.as_str(), &made.body["every_seconds"]), (201, "\"1\"", &json!(300)));
    let path = format!("{ALERTS}/{}", made.id());
    let secret = format!("{path}/webhook-secret");
    let secret = ada.send(&stage, reqwest::Method::POST, &secret, Some("*"), None).await.good();
    let secret = WebhookSecret::parse(secret.body["webhook_secret"].as_str().unwrap()).unwrap();
    assert!(ada.get(&stage, &path).await.body["evaluated_at"].is_null(), "it is switched off");

    let mut heard = notifications::listen(&stage.broker().await, shop.id).await.unwrap();
    ada.patch(&stage, &path, "*", json!({"enabled": true})).await.good();
    let firing = once(&stage, &ada, &path, true).await;
    assert_eq!((&firing.body["number"], &firing.body["previous"]), (&json!(5.0), &json!(2.0)));
    let history = told(&stage, &ada, &path, 1).await;
    assert_eq!((&history[0]["kind"], &history[0]["number"]), (&json!("fired"), &json!(5.0)));
    let channels: Vec<&Value> =
        history[0]["deliveries"].as_array().unwrap().iter().map(|delivery| &delivery["channel"]).collect();
    assert_eq!(channels, ["notification", "webhook"]);

    let posted = receiver.next().await;
    let body: Value = serde_json::from_slice(&posted.body).unwrap();
    assert_eq!(
        (&body["type"], &body["number"], &body["name"]),
        (&json!("alert_fired"), &json!(5.0), &json!("Many orders"))
    );
    let (time, _) = posted.signature.strip_prefix("t=").unwrap().split_once(',').unwrap();
    assert_eq!(posted.signature, secret.sign(time.parse().unwrap(), &posted.body));

    ada.patch(&stage, &path, "*", json!({"condition": above(10.0)})).await.good();
    once(&stage, &ada, &path, false).await;
    let history = told(&stage, &ada, &path, 2).await;
    assert_eq!(history[0]["kind"], "resolved", "the newest comes first");
    let body: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
    assert_eq!((&body["type"], &body["id"]), (&json!("alert_resolved"), &history[0]["id"]));

    let mut kinds = Vec::new();
    while kinds.last() != Some(&"alert_resolved") {
        let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        kinds.push(news.kind.as_str());
    }
    assert_eq!(kinds, ["alert_updated", "alert_fired", "alert_updated", "alert_resolved"]);

    // Whoever was told that it fires is told when nobody looks any more.
    ada.patch(&stage, &path, "*", json!({"condition": above(4.0)})).await.good();
    once(&stage, &ada, &path, true).await;
    let off = ada.patch(&stage, &path, "*", json!({"enabled": false})).await.good();
    assert_eq!(off.body["firing"], false);
    let history = told(&stage, &ada, &path, 4).await;
    assert_eq!((&history[0]["kind"], &history[0]["number"]), (&json!("resolved"), &json!(5.0)));
    let types = [receiver.next().await, receiver.next().await].map(|posted| {
        let body: Value = serde_json::from_slice(&posted.body).unwrap();
        body["type"].as_str().unwrap().to_owned()
    });
    assert_eq!(types, ["alert_fired", "alert_resolved"]);
}

#[actix_web::test]
async fn a_question_that_takes_long_delays_no_other_alert() {
    let stage = Stage::set().await;
    let (_, ada, quick) = shop(&stage).await;
    let by_page = json!({
        "kind": "trends", "event_type": "order", "last": "7d",
        "filter": {"property": "page", "op": "eq", "value": "/"},
    });
    let slow = json!({"title": "By page", "query": by_page});
    let slow = ada.post(&stage, "/api/v1/insights", slow).await.good().id();
    // A filter by property reads the events; the counts are elsewhere.
    let mut database = stage.database.client().await;
    let locked = database.transaction().await.unwrap();
    locked.batch_execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let alert = async |insight: &str| {
        let content = json!({"insight_id": insight, "name": "A", "condition": above(4.0)});
        format!("{ALERTS}/{}", ada.post(&stage, ALERTS, content).await.good().id())
    };
    let slow = alert(&slow).await;
    let is_held = "SELECT holder IS NOT NULL FROM alert_states";
    wait::until("somebody looks", async || locked.query_one(is_held, &[]).await.unwrap().get(0)).await;
    let quick = alert(&quick).await;
    once(&stage, &ada, &quick, true).await;
    let waits = ada.get(&stage, &slow).await.good().body;
    assert!(waits["evaluated_at"].is_null(), "{waits}");
    locked.rollback().await.unwrap();
    once(&stage, &ada, &slow, false).await;
}

#[actix_web::test]
async fn every_condition_reads_the_last_interval_that_has_ended() {
    let stage = Stage::set().await;
    let (_, ada, insight) = shop(&stage).await;
    let silent = json!({"kind": "trends", "event_type": "refund", "last": "7d"});
    let silent =
        ada.post(&stage, "/api/v1/insights", json!({"title": "Refunds", "query": silent})).await.good().id();
    let active = json!({"kind": "active_users", "last": "7d"});
    let active =
        ada.post(&stage, "/api/v1/insights", json!({"title": "Users", "query": active})).await.good().id();
    let change =
        |direction: &str, percent: f64| json!({"kind": "change", "direction": direction, "percent": percent});
    for (insight, condition, fires) in [
        (&insight, above(5.0), false),
        (&insight, json!({"kind": "threshold", "direction": "below", "value": 6}), true),
        (&insight, change("up", 149.0), true),
        (&insight, change("up", 151.0), false),
        (&insight, change("down", 1.0), false),
        (&insight, json!({"kind": "no_data"}), false),
        (&silent, json!({"kind": "no_data"}), true),
        (&active, above(0.5), true),
    ] {
        let content = json!({"insight_id": insight, "name": "A", "condition": condition});
        let made = ada.post(&stage, ALERTS, content).await.good();
        let path = format!("{ALERTS}/{}", made.id());
        once(&stage, &ada, &path, fires).await;
    }
}

#[actix_web::test]
async fn however_many_replicas_look_it_fires_once() {
    let stage = Stage::set().await;
    let (_, ada, insight) = shop(&stage).await;
    let receiver = Receiver::start();
    let ((mut killed, _), (_second, _)) = tokio::join!(replica(&stage), replica(&stage));
    let mut paths = Vec::new();
    for n in 0..8 {
        let name = format!("Alert {n}");
        let content = json!({"insight_id": insight, "name": name, "condition": above(1.0), "webhook": receiver.url("/hook")});
        paths.push(format!("{ALERTS}/{}", ada.post(&stage, ALERTS, content).await.good().id()));
        if n == 3 {
            killed.kill().await.unwrap();
        }
    }
    let mut events = Vec::new();
    for path in &paths {
        once(&stage, &ada, path, true).await;
        events.push(told(&stage, &ada, path, 1).await[0]["id"].clone());
    }
    // Everybody looks once more, and finds nothing new.
    let database = stage.database.client().await;
    let again = "UPDATE alert_states SET due_at = now(), evaluated_at = NULL";
    database.execute(again, &[]).await.unwrap();
    for path in &paths {
        once(&stage, &ada, path, true).await;
        assert_eq!(told(&stage, &ada, path, 1).await.len(), 1);
    }
    let (mut ids, mut deliveries, mut posts) = (BTreeSet::new(), BTreeSet::new(), 0);
    while ids.len() < paths.len() || !receiver.nothing_more() {
        let posted = receiver.next().await;
        let body: Value = serde_json::from_slice(&posted.body).unwrap();
        ids.insert(body["id"].to_string());
        deliveries.insert(posted.delivery);
        posts += 1;
    }
    let events: BTreeSet<String> = events.iter().map(ToString::to_string).collect();
    assert_eq!((ids, deliveries.len()), (events, paths.len()));
    // Who is killed between telling and writing that down tells again, and says that it is the same.
    let tries = "SELECT sum(attempts)::bigint FROM alert_deliveries WHERE channel = 'webhook'";
    let tries: i64 = database.query_one(tries, &[]).await.unwrap().get(0);
    let at_most_in_the_hands_of_the_killed = 4;
    assert!(
        posts <= tries && tries <= 8 + at_most_in_the_hands_of_the_killed,
        "{posts} posts, {tries} tries"
    );
}
