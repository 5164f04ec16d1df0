//! Publishes an event straight to the log, as an internal service may.
//!
//! ```sh
//! cargo run -p millrace-messaging --example producer -- nats://127.0.0.1:4222 <project id> <user id> <event type>
//! ```

use std::time::Duration;

use chrono::Utc;
use millrace_domain::batch::EventBatch;
use millrace_domain::draft::to_micros;
use millrace_domain::event::Event;
use millrace_domain::ids::EventId;
use millrace_domain::json::JsonObject;
use millrace_domain::text::{EventType, UserId};
use millrace_messaging::broker::Broker;
use millrace_messaging::publisher::publish;
use millrace_messaging::trace::Origin;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [nats_url, project, user, event_type] = arguments.as_slice() else {
        return Err("usage: producer <nats url> <project id> <user id> <event type>".into());
    };
    publish_one(nats_url, project, user, event_type).await
}

/// Publishes, and returns once the broker has the event on its disk.
pub(crate) async fn publish_one(nats_url: &str, project: &str, user: &str, event_type: &str) -> Outcome {
    let event = Event {
        event_id: EventId::new(),
        event_type: EventType::parse(event_type)?,
        user_id: UserId::parse(user)?,
        occurred_at: to_micros(Utc::now()),
        session_id: None,
        properties: JsonObject::parse(r#"{"source": "an internal service"}"#)?,
        context: None,
    };
    let batch = EventBatch { project_id: project.parse()?, received_at: Utc::now(), events: vec![event] };
    let broker = Broker::connect(nats_url, "example", Duration::from_secs(3)).await?;
    // If it fails, publish the same event again: it is stored once.
    publish(&broker, &batch, &[Origin::of("an-internal-service")]).await?;
    broker.close().await;
    Ok(())
}
