//! A new version of ingest, instance after instance, while events come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use millrace_testkit::wait;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::service::Ground;

const SENDERS: usize = 16;

/// What senders are told, while they go on sending.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    accepted: AtomicU64,
    /// 503 with `Retry-After`.
    put_off: AtomicU64,
}

impl Load {
    /// Sends an event after the other, and returns those that were accepted. An answer of any other kind, a connection
    /// that is cut and one that hangs fail the test.
    async fn send(self: Arc<Self>, url: String, key: String) -> Vec<Uuid> {
        let client = reqwest::Client::builder().no_proxy().timeout(wait::DEADLINE).build().unwrap();
        let mut accepted = Vec::new();
        while !self.enough.load(Ordering::Relaxed) {
            let id = Uuid::now_v7();
            let event = json!({"event_id": id, "event_type": "sent", "user_id": "ada"});
            let answer = client.post(&url).bearer_auth(&key).json(&event).send().await.unwrap();
            match answer.status().as_u16() {
                202 => {
                    accepted.push(id);
                    self.accepted.fetch_add(1, Ordering::Relaxed);
                }
                503 if answer.headers().contains_key("retry-after") => {
                    self.put_off.fetch_add(1, Ordering::Relaxed);
                }
                status => panic!("{status}: {}", answer.text().await.unwrap_or_default()),
            }
        }
        accepted
    }

    /// Waits until a few hundred more are accepted.
    async fn goes_on(&self) {
        let before = self.accepted.load(Ordering::Relaxed);
        let more = async || self.accepted.load(Ordering::Relaxed) > before + 300;
        wait::until("events are accepted", more).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_ingest_puts_a_few_off_and_loses_nothing() {
    let ground = Ground::prepare().await;
    let mut instances = [ground.start("ingest").await, ground.start("ingest").await];
    let gateway = ground.gateway(&instances).await;
    let _worker = ground.start("worker").await;

    let load = Arc::<Load>::default();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (url, key) = (format!("{}/api/v1/events", gateway.url()), ground.key.reveal().to_owned());
        senders.spawn(Arc::clone(&load).send(url, key));
    }
    load.goes_on().await;
    for instance in &mut instances {
        instance.stop().await;
        load.goes_on().await;
        instance.start_again().await;
        load.goes_on().await;
    }
    let put_off = load.put_off.load(Ordering::Relaxed);
    load.goes_on().await;
    load.enough.store(true, Ordering::Relaxed);
    let accepted = senders.join_all().await.concat();
    assert_eq!(load.put_off.load(Ordering::Relaxed), put_off, "nobody is once all are back");
    assert!(put_off <= 2 * SENDERS as u64, "at most those on their way: {put_off} of {}", accepted.len());

    wait::until("the log is empty", async || ground.messages_in_the_log().await == 0).await;
    let query =
        "SELECT count(*) FILTER (WHERE event_id = ANY($1)), count(*), count(DISTINCT event_id) FROM events";
    let row = ground.database.client().await.query_one(query, &[&accepted]).await.unwrap();
    let [of_those, all, different] = [0, 1, 2].map(|at| row.get::<_, i64>(at));
    assert_eq!(of_those, i64::try_from(accepted.len()).unwrap(), "every accepted event is stored");
    assert_eq!(all, different, "and none twice");
}
