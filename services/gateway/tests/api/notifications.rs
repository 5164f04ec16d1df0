//! Notifications, to whoever may see them and nobody else.

use std::time::Duration;

use chrono::Utc;
use millrace_domain::access::{Role, Scope};
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_messaging::notifications::notify;
use millrace_storage::members;
use millrace_testkit::proxy::ChaosProxy;
use serde_json::json;
use uuid::Uuid;

use crate::gateway::{Gateway, nobody};
use crate::socket::Socket;
use crate::stage::Stage;

const NOTIFICATIONS: &str = "/ws/notifications";

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_told_what_they_may_know() {
    let stage = Stage::set().await;
    let gateway = stage.gateway();
    let ((ada_email, ada), (bob_email, bob)) = (stage.person("ada").await, stage.person("bob").await);
    let shop = stage.project_of(ada).await;
    members::set(&mut *stage.store().await, shop, bob, Role::Viewer).await.unwrap();
    let elsewhere = stage.project_of(stage.person("eve").await.1).await;
    let (key, stranger) = (stage.key(shop, &[Scope::Read]).await, stage.key(elsewhere, &[Scope::Read]).await);
    let bearer = async |email: &str| format!("Bearer {}", stage.token(&gateway, email).await);
    let (ada_token, bob_token) = (bearer(&ada_email).await, bearer(&bob_email).await);
    let mut ada_hears = Socket::ready(&gateway, NOTIFICATIONS, &[("authorization", &ada_token)]).await;
    let mut bob_hears = Socket::ready(&gateway, NOTIFICATIONS, &[("authorization", &bob_token)]).await;
    let mut key_hears = Socket::ready(&gateway, NOTIFICATIONS, &[("x-api-key", key.reveal())]).await;
    let mut eve_hears = Socket::ready(&gateway, NOTIFICATIONS, &[("x-api-key", stranger.reveal())]).await;
    let broker = stage.broker().await;
    let about = || About { job_id: Some(Uuid::now_v7()), ..About::default() };

    let about_job = about();
    let for_bob = Notification::new(NotificationKind::JobSucceeded, about_job, Utc::now()).for_account(bob);
    notify(&broker, shop, &for_bob).await.unwrap();
    for project in [shop, elsewhere] {
        let kind = NotificationKind::InsightAddedToDashboard;
        let about =
            About { insight_id: Some(Uuid::now_v7()), dashboard_id: Some(project.0), ..About::default() };
        let told = Notification::new(kind, about, Utc::now()).by(ada).with("name", "Funnels");
        notify(&broker, project, &told).await.unwrap();
    }
    for (hears, expected, dashboard) in [
        (&mut ada_hears, vec!["insight_added_to_dashboard"], shop),
        (&mut bob_hears, vec!["job_succeeded", "insight_added_to_dashboard"], shop),
        (&mut key_hears, vec!["insight_added_to_dashboard"], shop),
        (&mut eve_hears, vec!["insight_added_to_dashboard"], elsewhere),
    ] {
        for kind in expected {
            let told = loop {
                let told = hears.told_of("notification").await;
                if told["kind"] != "job_created" {
                    break told;
                }
            };
            assert_eq!(told["kind"], kind);
            if kind == "job_succeeded" {
                assert_eq!(told["job_id"], json!(about_job.job_id));
            } else {
                assert_eq!((&told["dashboard_id"], &told["actor_id"]), (&json!(dashboard), &json!(ada)));
                assert_eq!(told["details"]["name"], "Funnels");
            }
        }
    }
    ada_hears.say("{}").await;
    assert_eq!(ada_hears.ended().await.0, 1008, "there is nothing to say");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_does_not_wait_for_the_broker_first() {
    let stage = Stage::set().await;
    let wire = ChaosProxy::before(stage.nats.url()).await;
    let mut settings = stage.settings(nobody());
    settings.nats_url = wire.url(stage.nats.url());
    let gateway = Gateway::with(settings);
    let key = stage.key(stage.project_of(stage.person("ada").await.1).await, &[Scope::Read]).await;
    let headers = [("x-api-key", key.reveal())];
    // The key is remembered from then on.
    drop(Socket::ready(&gateway, "/api/v1/live", &headers).await);
    // Silent, and not gone: somebody who knows that it is gone need not wait.
    wire.stretch(Duration::from_secs(60));
    let mut waiting = Socket::open(&gateway, NOTIFICATIONS, &headers).await.unwrap();
    gateway.stop();
    assert_eq!(waiting.ended_unheard().await, 1012);
}
