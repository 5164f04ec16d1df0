//! Who makes alerts, and what nobody can.

use std::time::Duration;

use chrono::{Days, Utc};
use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use millrace_security::webhook_signature::WebhookSecret;
use millrace_testkit::wait;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ALERTS, above, once, shop, told};
use crate::chronicle::{did, tell};
use crate::killed::replica;
use crate::people::{Person, leave};
use crate::receiver::Receiver;
use crate::stage::Stage;

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
async fn what_deliveries_are_signed_with_does_not_lie_in_the_clear() {
    let stage = Stage::set().await;
    let (_, ada, insight) = shop(&stage).await;
    let receiver = Receiver::start();
    let content = json!({"insight_id": insight, "name": "A", "condition": above(4.0), "webhook": receiver.url("/hook")});
    let path = format!("{ALERTS}/{}", ada.post(&stage, ALERTS, content).await.good().id());
    receiver.next().await;
    let secret = format!("{path}/webhook-secret");
    ada.send(&stage, Method::POST, &secret, Some("*"), None).await.good();
    let database = stage.database.client().await;
    let kept = "SELECT webhook_secret, webhook_secret_box IS NOT NULL FROM alerts";
    let kept = async || {
        let row = database.query_one(kept, &[]).await.unwrap();
        (row.get::<_, Option<String>>(0), row.get::<_, bool>(1))
    };
    assert_eq!(kept().await, (None, true));

    // One of an earlier version is sealed by a process that starts, and signs as before.
    let earlier = WebhookSecret::generate().unwrap();
    let of_an_earlier_version = "UPDATE alerts SET webhook_secret = $1, webhook_secret_box = NULL";
    database.execute(of_an_earlier_version, &[&earlier.reveal()]).await.unwrap();
    let version = ada.get(&stage, &path).await.tag;
    let (_running, _) = replica(&stage).await;
    wait::until("it is sealed", async || kept().await == (None, true)).await;
    ada.patch(&stage, &path, &version, json!({"condition": above(10.0)})).await.good();
    let posted = receiver.next().await;
    let (time, _) = posted.signature.strip_prefix("t=").unwrap().split_once(',').unwrap();
    assert_eq!(posted.signature, earlier.sign(time.parse().unwrap(), &posted.body));
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

    // Nor does one that is to be shown later.
    let own = ada.post(&stage, ALERTS, content("private")).await.good();
    let shown = json!({"visibility": "project"});
    let refused = ada.patch(&stage, &format!("{ALERTS}/{}", own.id()), "*", shown.clone()).await;
    assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!("visibility")));
    ada.delete(&stage, &format!("{ALERTS}/{}", own.id()), Some("*")).await;

    // With what becomes private later, its owner's alert does; that of somebody else is switched off.
    let path = format!("/api/v1/insights/{}", insight.id());
    ada.patch(&stage, &path, "*", json!({"visibility": "project"})).await.good();
    let mut off = content("project");
    off["enabled"] = false.into();
    let hers = ada.post(&stage, ALERTS, off).await.good();
    let his = bob.post(&stage, ALERTS, content("project")).await.good();
    told(&stage, &bob, &format!("{ALERTS}/{}", his.id()), 1).await;
    let mut heard = notifications::listen(&stage.broker().await, shop.id).await.unwrap();
    ada.patch(&stage, &path, "*", json!({"visibility": "private"})).await.good();
    let mut news_of_it = Vec::new();
    while news_of_it.len() < 3 {
        let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        // Before or after what follows, his is over, which is told when it is settled.
        if news.kind.as_str() != "alert_resolved" {
            news_of_it.push((
                news.kind.as_str(),
                news.about.alert_id.map(|id| id.to_string()),
                news.audience.has(Some(bob.id)),
            ));
        }
    }
    news_of_it.sort();
    let mut expected = vec![
        ("alert_updated", Some(hers.id()), false),
        ("alert_updated", Some(his.id()), true),
        ("insight_updated", None, false),
    ];
    expected.sort();
    assert_eq!(news_of_it, expected);
    let (her_path, his_path) = (format!("{ALERTS}/{}", hers.id()), format!("{ALERTS}/{}", his.id()));
    assert_eq!(bob.get(&stage, &her_path).await.status, 404);
    let hidden = ada.get(&stage, &her_path).await.good().body;
    assert_eq!((&hidden["visibility"], &hidden["version"]), (&json!("private"), &json!(2)));
    let history = bob.get(&stage, &format!("{his_path}/history")).await.good().body;
    assert_eq!(history["data"][0]["kind"], "resolved", "what is switched off is over");
    let switched_off = bob.get(&stage, &his_path).await.good().body;
    assert_eq!((&switched_off["enabled"], &switched_off["firing"]), (&json!(false), &json!(false)));
    for visibility in ["project", "private"] {
        let again = ada.patch(&stage, &her_path, "*", json!({"visibility": visibility, "name": "B"})).await;
        assert_eq!(again.status, if visibility == "project" { 422 } else { 200 });
    }

    tell(
        &mut stage.teller(),
        &shop,
        &[did("eve", "order", &format!("{}T13:00:00Z", Utc::now().date_naive() - Days::new(1)))],
    )
    .await;
    for (person, path) in [(&ada, &her_path), (&bob, &his_path)] {
        person.patch(&stage, path, "*", json!({"enabled": true})).await.good();
    }
    let looked = wait::until_some("his has looked", async || {
        let alert = bob.get(&stage, &his_path).await.good().body;
        alert["error"].is_string().then_some(alert)
    });
    let looked = looked.await;
    assert_eq!((&looked["number"], &looked["firing"]), (&json!(5.0), &json!(false)), "as it was before");
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
async fn with_an_insight_the_alerts_on_it_go_and_everybody_hears_of_each() {
    let stage = Stage::set().await;
    let (shop, ada, insight) = shop(&stage).await;
    let bob = Person::member(&stage, shop.id, "bob", Role::Editor).await;
    let content = |visibility: &str| json!({"insight_id": insight, "name": "A", "condition": above(100.0), "visibility": visibility});
    let hers = ada.post(&stage, ALERTS, content("project")).await.good().id();
    let his = bob.post(&stage, ALERTS, content("private")).await.good().id();
    let mut heard = notifications::listen(&stage.broker().await, shop.id).await.unwrap();
    ada.delete(&stage, &format!("/api/v1/insights/{insight}"), Some("*")).await.good();
    let mut gone = Vec::new();
    while gone.len() < 2 {
        let news: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        assert_eq!(news.kind.as_str(), "alert_deleted");
        gone.push((news.about.alert_id.unwrap().to_string(), news.audience.has(Some(ada.id))));
        assert!(news.audience.has(Some(bob.id)) && news.actor_id == Some(ada.id));
    }
    gone.sort();
    let mut expected = vec![(hers.clone(), true), (his.clone(), false)];
    expected.sort();
    assert_eq!(gone, expected);
    for (person, alert) in [(&ada, hers), (&bob, his)] {
        assert_eq!(person.get(&stage, &format!("{ALERTS}/{alert}")).await.status, 404);
    }
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
