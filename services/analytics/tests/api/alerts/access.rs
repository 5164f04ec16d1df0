//! Who makes alerts, and what nobody can.

use std::time::Duration;

use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use millrace_testkit::wait;
use serde_json::{Value, json};

use super::{ALERTS, above, once, shop};
use crate::people::{Person, leave};
use crate::receiver::Receiver;
use crate::stage::{Stage, problem};

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
async fn what_is_private_of_somebody_who_has_left_looks_and_tells_no_more() {
    let stage = Stage::set().await;
    let (shop, ada, insight) = shop(&stage).await;
    let bob = Person::member(&stage, shop.id, "bob", Role::Editor).await;
    let root = Person::system_admin(&stage, shop.id).await;
    let receiver = Receiver::start();
    let alert = async |person: &Person, visibility: &str, path: &str, value: f64| {
        let content = json!({
            "insight_id": insight, "name": path, "condition": above(value), "visibility": visibility,
            "webhook": receiver.url(path),
        });
        format!("{ALERTS}/{}", person.post(&stage, ALERTS, content).await.good().id())
    };
    let delivery = async |path: &str| {
        let history = root.get(&stage, &format!("{path}/history")).await.good().body;
        history["data"][0]["deliveries"][1].clone()
    };
    // Each has one that is quiet, and one whose receiver is to be asked again.
    let mut quiet = Vec::new();
    let mut waits = Vec::new();
    for person in [&ada, &bob] {
        quiet.push(alert(person, "private", "/hook", 100.0).await);
        waits.push(alert(person, "private", "/redirect", 4.0).await);
    }
    let of_the_project = alert(&ada, "project", "/hook", 100.0).await;
    for path in quiet.iter().chain([&of_the_project]) {
        once(&stage, &root, path, false).await;
    }
    for path in &waits {
        let tried = wait::until_some("it was tried", async || {
            Some(delivery(path).await).filter(|delivery| delivery["error"].is_string())
        });
        assert_eq!(tried.await["status"], "pending");
    }

    leave(&stage, ada.id, shop.id).await;
    let database = stage.database.client().await;
    database.execute("DELETE FROM accounts WHERE id = $1", &[&bob.id.0]).await.unwrap();
    let everything_is_due = "UPDATE alerts SET condition = jsonb_set(condition, '{value}', '4') WHERE name = '/hook';
         UPDATE alert_deliveries SET due_at = now() WHERE status = 'pending';
         UPDATE alert_states SET due_at = now() - interval '1 s' * extract(epoch FROM now() - alerts.created_at)
           FROM alerts WHERE alerts.id = alert_id";
    database.batch_execute(everything_is_due).await.unwrap();
    for path in &waits {
        let dead = wait::until_some("it is given up", async || {
            Some(delivery(path).await).filter(|delivery| delivery["status"] == "dead")
        });
        assert!(dead.await["error"].as_str().unwrap().contains("no member any more"));
    }
    // The youngest, which is due last.
    once(&stage, &root, &of_the_project, true).await;
    let posted: Value = serde_json::from_slice(&receiver.next().await.body).unwrap();
    assert_eq!(format!("{ALERTS}/{}", posted["alert_id"].as_str().unwrap()), of_the_project);
    for path in &quiet {
        let still = root.get(&stage, path).await.good().body;
        assert_eq!((&still["firing"], &still["number"]), (&json!(false), &json!(5.0)));
        let history = root.get(&stage, &format!("{path}/history")).await.good().body;
        assert_eq!(history["data"], json!([]));
    }
    assert!(receiver.nothing_more());
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
