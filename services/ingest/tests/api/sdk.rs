//! The SDKs of other products as they are published, run unmodified: through a gateway and ingest into the log, and by
//! a worker into the store.

use std::time::{Duration, Instant};

use millrace_security::api_key::ApiKey;
use millrace_testkit::proxy::{ChaosProxy, Spoil};
use millrace_testkit::{peers, wait};
use serde_json::{Value, json};
use tokio_util::sync::DropGuard;

use crate::stage::Stage;

mod amplitude;
mod browsers;
mod cloudevents;
mod limits;
mod mixpanel;
mod posthog;
mod segment;

/// What every script sends, by its own SDK's means.
fn story() -> Value {
    serde_json::from_str(include_str!("../../../../deploy/peers/sdks/story.json")).unwrap()
}

/// The user, the event, the properties and the traits of the story.
fn told() -> (String, String, Value, Value) {
    let story = story();
    let text = |name: &str| story[name].as_str().unwrap().to_owned();
    (text("user"), text("event"), story["properties"].clone(), story["traits"].clone())
}

/// A stage with a gateway, a wire in front of it, and a worker.
struct Street {
    stage: Box<Stage>,
    /// The wire between the SDK and the gateway.
    wire: ChaosProxy,
    url: String,
    _working: [DropGuard; 2],
}

/// An event as it is stored.
#[derive(Debug)]
struct Stored {
    event_type: String,
    user_id: String,
    occurred_at: String,
    session_id: Option<String>,
    properties: Value,
    context: Value,
}

impl Street {
    async fn set() -> Self {
        let stage = Box::new(Box::pin(Stage::set()).await);
        let (gateway, open) = stage.open_a_gateway();
        let wire = ChaosProxy::before(&gateway).await;
        let url = wire.url(&gateway).trim_end_matches('/').to_owned();
        let working = [open, stage.hire_a_worker().await];
        Self { stage, wire, url, _working: working }
    }

    /// Runs a script to its end, and returns the errors that the SDK reported.
    async fn run(&self, script: &str, key: &str, more: Value) -> Vec<String> {
        let mut asked = json!({"host": self.url, "key": key});
        if let (Some(asked), Some(more)) = (asked.as_object_mut(), more.as_object()) {
            asked.extend(more.clone());
        }
        let said = peers::run(&format!("sdks/{script}"), &asked.to_string()).await;
        let said: Value = serde_json::from_str(said.trim()).unwrap();
        said["errors"].as_array().unwrap().iter().map(|error| error.as_str().unwrap().to_owned()).collect()
    }

    /// What is stored, once it is `count` events, by event type and then by user.
    async fn stored(&self, count: i64) -> Vec<Stored> {
        // With an empty log there is nothing on its way either, such as the same event a second time.
        wait::until("everything is stored", async || {
            self.stage.stored().await >= count && self.stage.messages_in_the_log().await == 0
        })
        .await;
        let query = "SELECT event_type, user_id, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                     session_id, properties::text, coalesce(context, '{}')::text FROM events ORDER BY 1, 2, 5";
        let rows = self.stage.database.client().await.query(query, &[]).await.unwrap();
        let stored: Vec<Stored> = rows
            .iter()
            .map(|row| Stored {
                event_type: row.get(0),
                user_id: row.get(1),
                occurred_at: row.get(2),
                session_id: row.get(3),
                properties: serde_json::from_str(row.get(4)).unwrap(),
                context: serde_json::from_str(row.get(5)).unwrap(),
            })
            .collect();
        assert_eq!(i64::try_from(stored.len()).unwrap(), count, "{stored:#?}");
        stored
    }

    /// Runs a script whose first answer is spoilt after the events were accepted. Returns the errors it reported.
    async fn run_spoilt(&self, script: &str, spoil: Spoil, more: Value) -> Vec<String> {
        self.wire.spoil_answer(spoil);
        let errors = self.run(script, self.stage.key.reveal(), more).await;
        assert!(!self.wire.is_armed(), "an answer was spoilt");
        errors
    }

    /// Runs a script whose first request finds the log away. Returns the errors it reported.
    async fn run_refused(&self, script: &str, more: Value) -> Vec<String> {
        let before = self.wire.answers();
        self.stage.nats_wire.cut();
        let mended = async {
            wait::until("the SDK is told to try again", async || self.wire.answers() > before).await;
            self.stage.nats_wire.mend();
        };
        tokio::join!(self.run(script, self.stage.key.reveal(), more), mended).0
    }

    /// Runs a script with a key that opens nothing. It has to notice, and to end long before a test would.
    async fn run_with_a_wrong_key(&self, script: &str, more: Value) {
        peers::install().await;
        let started = Instant::now();
        let errors = self.run(script, ApiKey::generate().unwrap().reveal(), more).await;
        assert!(!errors.is_empty(), "{script} was told");
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "{script} took {:?}: {errors:?}",
            started.elapsed()
        );
        assert_eq!(self.stage.stored().await, 0);
    }
}

/// The only event of this type.
fn only<'a>(stored: &'a [Stored], event_type: &str) -> &'a Stored {
    let mut found = stored.iter().filter(|event| event.event_type == event_type);
    let event = found.next().unwrap_or_else(|| panic!("no {event_type} in {stored:#?}"));
    assert!(found.next().is_none(), "more than one {event_type} in {stored:#?}");
    event
}
