//! Analytics as operators run it, killed in the middle of its work.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use millrace_domain::access::Role;
use millrace_messaging::notifications::missed;
use millrace_testkit::wait;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::people::Person;
use crate::stage::{Stage, WEBHOOK_KEY};

/// A replica of its own process, and where it is.
pub(crate) async fn replica(stage: &Stage) -> (Child, String) {
    replica_with(stage, &[]).await
}

/// The same with other settings.
pub(crate) async fn replica_with(stage: &Stage, settings: &[(&str, &str)]) -> (Child, String) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Command::new(env!("CARGO_BIN_EXE_millrace-analytics"))
        .env_clear()
        .env("MILLRACE_BIND", address.to_string())
        .env("DATABASE_URL", stage.database.url())
        .env("NATS_URL", stage.nats.url())
        .env("REDIS_URL", stage.redis_url())
        .env("MILLRACE_WEBHOOK_PRIVATE", "true")
        .env("MILLRACE_WEBHOOK_KEY", WEBHOOK_KEY)
        .envs(settings.iter().copied())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    (process, format!("http://{address}"))
}

#[actix_web::test]
async fn whatever_a_killed_replica_has_answered_is_told() {
    let stage = Stage::set().await;
    let shop = stage.project("UTC").await.id;
    let ada = Person::member(&stage, shop, "ada", Role::Editor).await;
    let broker = stage.broker().await;
    let ((mut first, at_first), (_second, at_second)) = tokio::join!(replica(&stage), replica(&stage));
    let client = reqwest::Client::new();
    let keep = async |at: &str| -> Option<String> {
        let request = client.post(format!("{at}/api/v1/insights")).bearer_auth(&ada.token);
        let answer =
            request.json(&json!({"title": "Orders"})).timeout(Duration::from_secs(10)).send().await.ok()?;
        let kept: Value = (answer.status() == 201).then_some(answer)?.json().await.ok()?;
        Some(kept["id"].as_str()?.to_owned())
    };
    wait::until("both answer", async || keep(&at_first).await.is_some() && keep(&at_second).await.is_some())
        .await;
    let before = missed::newest(&broker).await.unwrap();

    let answered = Mutex::new(BTreeSet::new());
    let some_more = async || {
        let goal = answered.lock().unwrap().len() + 30;
        wait::until("some are answered", async || answered.lock().unwrap().len() >= goal).await;
    };
    // Each asks the second when the first does not answer.
    let asks = (0..4).map(|_| async {
        loop {
            let kept = match keep(&at_first).await {
                Some(kept) => Some(kept),
                None => keep(&at_second).await,
            };
            answered.lock().unwrap().extend(kept);
        }
    });
    let story = async {
        some_more().await;
        first.kill().await.unwrap();
        some_more().await;
    };
    tokio::select! {
        () = story => {}
        _ = futures_util::future::join_all(asks) => unreachable!("they do not end"),
    }
    let (mut told, mut cursor) = (BTreeSet::new(), before);
    loop {
        let page = missed::since(&broker, shop, Some(cursor), 200, |_| true).await.unwrap();
        assert!(page.complete);
        told.extend(
            page.notifications.iter().filter_map(|(_, told)| Some(told.about.insight_id?.to_string())),
        );
        cursor = page.cursor;
        if !page.more {
            break;
        }
    }
    let answered = answered.into_inner().unwrap();
    assert!(answered.is_subset(&told), "{:?} were answered and not told", answered.difference(&told));
}
