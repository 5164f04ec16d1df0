//! Words for stories: a project to play in, events that somebody did.

use chrono::{DateTime, Utc};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_domain::draft::Draft;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_storage::database::{Database, PoolSettings};
use serde_json::{Value, json};
use uuid::Uuid;

/// A project whose days are days of `timezone`.
pub async fn project(database_url: &str, timezone: &str) -> ProjectId {
    let database = Database::new(database_url, PoolSettings::named("test")).expect("the settings are sound");
    let mut connection = database.connection().await.expect("PostgreSQL answers");
    let timezone = TimeZone::parse(timezone).expect("the story's zone exists");
    millrace_storage::projects::create(&mut connection, "A story", timezone)
        .await
        .expect("it can be created")
        .id
}

/// Something that somebody did, as a client would send it.
#[derive(Clone, Debug)]
pub struct Happening(Value);

/// `user` did `event_type` at `time` (RFC 3339), with a new id.
pub fn did(user: &str, event_type: &str, time: &str) -> Happening {
    Happening(json!({
        "event_id": Uuid::now_v7(), "event_type": event_type, "user_id": user, "occurred_at": time,
    }))
}

impl Happening {
    /// With this field instead.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0[field] = value.into();
        self
    }

    /// As JSON, to send it.
    pub fn json(&self) -> Value {
        self.0.clone()
    }

    /// As ingest would hand it to the log.
    pub fn event(&self) -> Event {
        let now: DateTime<Utc> = Utc::now();
        Draft::parse(&self.0.to_string(), now, Uuid::now_v7).expect("the story's event is sound").settle(now)
    }
}
