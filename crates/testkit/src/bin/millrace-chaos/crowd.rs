//! Senders that behave as SDKs do: they send a request again until it is acknowledged, sometimes once more after that, and
//! a few give up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::ledger::Ledger;

/// Events in a request. Of these sizes some share connections to ingest and some have their own ([`millrace_http::multiplex`]).
const BATCH: usize = 70;
/// The share of requests that are sent again although they were acknowledged.
const REPEATED: f64 = 0.05;
/// The share of events that are in their request twice.
const DOUBLED: f64 = 0.05;
/// The share of requests whose senders give up at the first failure.
const FAINT: f64 = 0.02;
/// Longer than any of the product's own limits.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(300);

/// Whoever sends.
#[derive(Clone, Debug)]
pub struct Crowd {
    pub url: String,
    pub key: String,
    pub ledger: Arc<Ledger>,
    pub events: usize,
    pub duration: Duration,
    pub seed: u64,
}

#[derive(Deserialize)]
struct Verdicts {
    rejected: u64,
}

impl Crowd {
    /// Sends everything, at an even pace as far as the product allows.
    pub async fn send(self, senders: usize) {
        let next = AtomicUsize::new(0);
        let began = Instant::now();
        join_all((0..senders).map(|_| self.one(&next, began))).await;
    }

    async fn one(&self, next: &AtomicUsize, began: Instant) {
        let client =
            reqwest::Client::builder().timeout(PATIENCE).no_proxy().build().expect("a client can be made");
        let batches = self.events.div_ceil(BATCH);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= batches {
                return;
            }
            let share = u32::try_from(number).expect("few enough");
            let due = self.duration * share / u32::try_from(batches).expect("few enough");
            tokio::time::sleep_until((began + due).into()).await;
            let mut rng = StdRng::seed_from_u64(self.seed ^ (u64::from(share) << 20));
            let size = BATCH.min(self.events - number * BATCH);
            let (ids, body) = batch(&mut rng, number, size);
            self.ledger.sends(&ids);
            let faint = rng.random_bool(FAINT);
            let mut told = self.deliver(&client, &body).await;
            while !told && !faint {
                tokio::time::sleep(PAUSE.mul_f64(rng.random_range(0.5..1.5))).await;
                told = self.deliver(&client, &body).await;
            }
            // One that gave up does not know.
            if told {
                self.ledger.is_told(&ids);
            }
            if rng.random_bool(REPEATED) {
                Ledger::count(&self.ledger.repeated);
                let _ = self.deliver(&client, &body).await;
            }
        }
    }

    /// Whether the request was acknowledged.
    async fn deliver(&self, client: &reqwest::Client, body: &Value) -> bool {
        Ledger::count(&self.ledger.requests);
        let request = client.post(format!("{}/api/v1/events", self.url)).bearer_auth(&self.key).json(body);
        let told = async { request.send().await?.error_for_status()?.json::<Verdicts>().await };
        match told.await {
            Ok(verdicts) => {
                self.ledger.rejected.fetch_add(verdicts.rejected, Ordering::Relaxed);
                true
            }
            Err(_no_answer) => {
                Ledger::count(&self.ledger.failures);
                false
            }
        }
    }
}

/// Events of a fortnight, by many users; some of them twice.
fn batch(rng: &mut StdRng, number: usize, size: usize) -> (Vec<Uuid>, Value) {
    let start: DateTime<Utc> = "2026-10-20T00:00:00Z".parse().expect("a time");
    let types = ["page_view", "login", "search", "cart_updated", "order_completed"];
    let (mut ids, mut events) = (Vec::new(), Vec::new());
    for place in 0..size {
        let id = uuid::Builder::from_random_bytes(rng.random()).into_uuid();
        let at = start + TimeDelta::seconds(rng.random_range(0..14 * 86_400));
        let event = json!({
            "event_id": id, "event_type": types[rng.random_range(0..types.len())],
            "user_id": format!("user-{}", rng.random_range(0..5_000)), "occurred_at": at,
            "properties": {"batch": number, "place": place, "url": "https://shop.example/?utm_source=mail"},
        });
        ids.push(id);
        if rng.random_bool(DOUBLED) {
            events.push(event.clone());
        }
        events.push(event);
    }
    (ids, Value::Array(events))
}
