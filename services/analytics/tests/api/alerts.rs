//! Alerts: who makes them, when they fire, and who hears of it.

use std::time::Duration;

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
use crate::stage::{Project, Stage, problem};

const ALERTS: &str = "/api/v1/alerts";

fn above(value: f64) -> Value {
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
    let mut posted = Vec::new();
    for _ in &paths {
        let body: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
        posted.push(body["id"].clone());
    }
    let sorted = |mut ids: Vec<Value>| {
        ids.sort_by_key(ToString::to_string);
        ids
    };
    assert_eq!(sorted(posted), sorted(events));
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

#[actix_web::test]
async fn each_role_does_with_alerts_what_it_may_and_no_more() {
    let stage = Stage::set().await;
    let (shop, author, insight) = shop(&stage).await;
    let stranger = Person::member(&stage, stage.project("UTC").await.id, "stranger", Role::Owner).await;
    let callers = [
        ("viewer", Person::member(&stage, shop.id, "viewer", Role::Viewer).await),
        ("editor", Person::member(&stage, shop.id, "editor", Role::Editor).await),
        ("admin", Person::member(&stage, shop.id, "admin", Role::Admin).await),
        ("owner", Person::member(&stage, shop.id, "owner", Role::Owner).await),
        ("system", Person::system_admin(&stage, shop.id).await),
        ("stranger", stranger.about(shop.id)),
        ("author", author),
    ];
    let author = &callers[6].1;
    let content = |visibility: &str| {
        let webhook = "https://hooks.example.com/secret";
        json!({
            "insight_id": insight, "name": "A", "condition": above(100.0), "visibility": visibility, "webhook": webhook,
        })
    };
    // Read; read its history; rename; hide or show; a new secret; delete.
    let table = [
        ("viewer", "project", [200, 200, 403, 403, 403, 403]),
        ("editor", "project", [200, 200, 200, 403, 403, 403]),
        ("admin", "project", [200, 200, 200, 200, 201, 204]),
        ("owner", "project", [200, 200, 200, 200, 201, 204]),
        ("system", "project", [200, 200, 200, 200, 201, 204]),
        ("stranger", "project", [404; 6]),
        ("author", "project", [200, 200, 200, 200, 201, 204]),
        ("viewer", "private", [404; 6]),
        ("editor", "private", [404; 6]),
        ("admin", "private", [404; 6]),
        ("owner", "private", [404; 6]),
        ("system", "private", [200, 200, 200, 200, 201, 204]),
        ("author", "private", [200, 200, 200, 200, 201, 204]),
    ];
    for (name, visibility, expected) in table {
        let caller = &callers.iter().find(|(called, _)| *called == name).unwrap().1;
        let made = author.post(&stage, ALERTS, content(visibility)).await.good();
        let path = format!("{ALERTS}/{}", made.id());
        let other = if visibility == "project" { "private" } else { "project" };
        let read = caller.get(&stage, &path).await;
        assert!(read.status != 200 || read.body["webhook"].is_null() == (name == "viewer"), "{name}");
        let history = caller.get(&stage, &format!("{path}/history")).await.status;
        let rename = caller.patch(&stage, &path, "*", json!({"name": "B"})).await.status;
        let hide = caller.patch(&stage, &path, "*", json!({"visibility": other})).await.status;
        if hide == 200 {
            author.patch(&stage, &path, "*", json!({"visibility": visibility})).await;
        }
        let secret = format!("{path}/webhook-secret");
        let secret = caller.send(&stage, reqwest::Method::POST, &secret, Some("*"), None).await.status;
        let remove = caller.delete(&stage, &path, Some("*")).await.status;
        assert_eq!(
            [read.status, history, rename, hide, secret, remove],
            expected,
            "{name} and what is {visibility}"
        );
        author.delete(&stage, &path, Some("*")).await;
    }
    for (name, caller) in &callers {
        let made = caller.post(&stage, ALERTS, content("private")).await.status;
        let listed = caller.get(&stage, ALERTS).await;
        let expected = match *name {
            "viewer" => (403, 200),
            "stranger" => (404, 404),
            _ => (201, 200),
        };
        assert_eq!((made, listed.status), expected, "{name}");
        if *name == "author" {
            assert_eq!(
                listed.body["data"].as_array().unwrap().len(),
                1,
                "others' private ones are not there"
            );
        }
    }
    assert_eq!(problem(stage.request(ALERTS, &shop.key)).await.0, 403, "a program makes none");
}

#[actix_web::test]
async fn what_an_insight_hides_no_alert_tells() {
    let stage = Stage::set().await;
    let (shop, ada, _) = shop(&stage).await;
    let bob = Person::member(&stage, shop.id, "bob", Role::Editor).await;
    let query = json!({"kind": "trends", "event_type": "order", "last": "7d"});
    let secret = json!({"title": "Secret", "query": query, "visibility": "private"});
    let insight = ada.post(&stage, "/api/v1/insights", secret).await.good();
    let content = |visibility: &str| json!({"insight_id": insight.id(), "name": "A", "condition": above(4.0), "visibility": visibility});
    let refused = bob.post(&stage, ALERTS, content("private")).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["code"]), (422, &json!("unknown_insight")));
    assert_eq!(ada.post(&stage, ALERTS, content("project")).await.body["errors"][0]["field"], "visibility");

    // What becomes private later is read for its owner alone.
    let path = format!("/api/v1/insights/{}", insight.id());
    ada.patch(&stage, &path, "*", json!({"visibility": "project"})).await.good();
    let mut off = content("project");
    off["enabled"] = false.into();
    let (hers, his) =
        (ada.post(&stage, ALERTS, off.clone()).await.good(), bob.post(&stage, ALERTS, off).await.good());
    ada.patch(&stage, &path, "*", json!({"visibility": "private"})).await.good();
    let mut heard = notifications::listen(&stage.broker().await, shop.id).await.unwrap();
    for (person, alert) in [(&ada, &hers), (&bob, &his)] {
        person.patch(&stage, &format!("{ALERTS}/{}", alert.id()), "*", json!({"enabled": true})).await.good();
    }
    let looked = wait::until_some("his has looked", async || {
        let alert = bob.get(&stage, &format!("{ALERTS}/{}", his.id())).await.good().body;
        alert["evaluated_at"].is_string().then_some(alert)
    });
    let looked = looked.await;
    assert_eq!((&looked["number"], &looked["firing"]), (&Value::Null, &json!(false)));
    assert!(looked["error"].as_str().unwrap().contains("not the owner's to see"), "{looked}");
    let fired = async {
        loop {
            let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
            if news.kind.as_str() == "alert_fired" {
                return news;
            }
        }
    };
    let fired = tokio::time::timeout(Duration::from_secs(20), fired).await.unwrap();
    assert_eq!(fired.about.alert_id.unwrap().to_string(), hers.id());
    assert!(fired.audience.has(Some(ada.id)) && !fired.audience.has(Some(bob.id)));
}

#[actix_web::test]
async fn what_an_alert_cannot_be_is_refused_by_field() {
    let stage = Stage::set().await;
    let (_, ada, insight) = shop(&stage).await;
    let note = ada.post(&stage, "/api/v1/insights", json!({"title": "Note"})).await.good().id();
    let many = json!({"kind": "top_events", "last": "7d"});
    let many =
        ada.post(&stage, "/api/v1/insights", json!({"title": "Many", "query": many})).await.good().id();
    let whole = json!({"insight_id": insight, "name": "A", "condition": above(1.0)});
    for (change, field) in [
        (json!({"insight_id": null}), "insight_id"),
        (json!({"insight_id": note}), "insight_id"),
        (json!({"insight_id": many}), "insight_id"),
        (json!({"insight_id": uuid::Uuid::now_v7()}), "insight_id"),
        (json!({"name": null}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"condition": null}), "condition"),
        (
            json!({"condition": {"kind": "threshold", "direction": "above", "value": 1, "clear": 2}}),
            "condition",
        ),
        (json!({"condition": {"kind": "change", "direction": "up", "percent": 0}}), "condition"),
        (json!({"times": 0}), "times"),
        (json!({"every_seconds": 59}), "every_seconds"),
        (json!({"mail": true}), "mail"),
        (json!({"webhook": "ftp://example.com"}), "webhook"),
        (json!({"webhook": "https://ada:secret@example.com"}), "webhook"),
    ] {
        let mut content = whole.clone();
        content.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = ada.post(&stage, ALERTS, content).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!(field)), "{change}");
    }
    let made = ada.post(&stage, ALERTS, whole).await.good();
    let path = format!("{ALERTS}/{}", made.id());
    let moved = ada.patch(&stage, &path, "*", json!({"insight_id": insight})).await;
    assert_eq!((moved.status, &moved.body["errors"][0]["field"]), (422, &json!("insight_id")));
    let renamed = ada.patch(&stage, &path, &made.tag, json!({"name": "B"})).await.good();
    let late = ada.patch(&stage, &path, &made.tag, json!({"name": "C"})).await;
    assert_eq!((late.status, &late.body["current"]["name"]), (412, &renamed.body["name"]));
}
