//! Events as they are accepted, over WebSockets.

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_domain::ids::ProjectId;
use millrace_messaging::broker::Broker;
use millrace_messaging::subjects;
use millrace_testkit::story::did;
use serde_json::{Value, json};

use crate::socket::Socket;

mod access;
mod endings;
mod filters;

const LIVE: &str = "/api/v1/live";
const NOON: &str = "2026-11-01T12:00:00Z";

/// What an ingest shows of events of these types and users.
async fn show(broker: &Broker, project: ProjectId, events: &[(&str, &str)]) {
    let events: Vec<Value> =
        events.iter().map(|(event_type, user)| did(user, event_type, NOON).json()).collect();
    let message = json!({"accepted": events.len(), "sample_rate": 1.0, "events": events}).to_string();
    broker.client().publish(subjects::live(project), message.into()).await.unwrap();
    broker.client().flush().await.unwrap();
}

/// Shows events until one of them is told: the gateway may not listen yet.
async fn until_told(broker: &Broker, project: ProjectId, socket: &mut Socket) -> Value {
    let shows = async {
        loop {
            show(broker, project, &[("first", "ada")]).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        told = socket.told_of("events") => told,
        () = shows => unreachable!("it does not end"),
    }
}

fn users(told: &Value) -> BTreeSet<String> {
    let events = told["events"].as_array().unwrap().iter();
    events.map(|event| event["user_id"].as_str().unwrap().to_owned()).collect()
}
