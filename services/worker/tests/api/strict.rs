//! Event types whose properties must keep a schema.

use chrono::Utc;
use millrace_domain::batch::EventBatch;
use millrace_domain::event::Event;
use millrace_domain::ids::ProjectId;
use millrace_domain::text::EventType;
use millrace_messaging::dead_letters::filter::Filter;
use millrace_messaging::dead_letters::orders::{self, Order};
use millrace_messaging::dead_letters::shelf;
use millrace_messaging::publisher;
use millrace_messaging::trace::Origin;
use millrace_storage::event_schemas;
use millrace_testkit::story::{did, project};
use millrace_testkit::wait;
use serde_json::{Value, json};

use crate::bench_of_work::{Bench, Hired};
use crate::dead_letters::dead_letters;

impl Bench {
    pub(crate) async fn be_strict(&self, schema: &Value) {
        let order = EventType::parse("order_completed").unwrap();
        let set = event_schemas::set(&mut *self.store().await, self.shop, &order, schema).await.unwrap();
        assert!(set.is_some());
    }

    pub(crate) async fn publish_of(&self, project_id: ProjectId, events: &[Event]) {
        let batch = EventBatch { project_id, received_at: Utc::now(), events: events.to_vec() };
        publisher::publish(&self.broker, &batch, &[Origin::of("story")]).await.unwrap();
    }

    /// Replays whatever is dead, and tells how much of it is dead again.
    async fn replayed(&self) -> usize {
        let filter = Filter { project: Some(self.shop), ..Filter::default() };
        let until = shelf::newest(&self.broker).await.unwrap();
        orders::replay(&self.broker, &Order::Found { filter, after: None, until }).await.unwrap();
        self.until_the_log_is_empty().await;
        dead_letters(self).await.len()
    }
}

fn order(user: &str, properties: Value) -> Event {
    did(user, "order_completed", "2026-11-01T12:00:00Z").with("properties", properties).event()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_schema_of_its_type_is_dead_until_the_schema_is_another() {
    let bench = Bench::new().await;
    let elsewhere = project(&bench.database.url(), "UTC").await;
    let value = json!({
        "properties": {"value": {"type": "number", "minimum": 0}}, "required": ["value"],
        "additionalProperties": false,
    });
    bench.be_strict(&value).await;
    let worker = Hired::with(bench.config()).await;
    let events = [
        order("ada", json!({"value": 3})),
        order("bob", json!({"value": "3"})),
        order("eve", json!({})),
        did("bob", "page_view", "2026-11-01T12:00:00Z").with("properties", json!({"value": "3"})).event(),
    ];
    bench.publish(&events).await;
    bench.publish_of(elsewhere, &[order("bob", json!({"value": "3"}))]).await;
    bench.until_the_log_is_empty().await;

    assert_eq!(bench.stored().await, 3, "other types and other projects are not held against it");
    let letters = dead_letters(&bench).await;
    let told: Vec<(&str, &str)> =
        letters.iter().map(|letter| (letter.reason.as_str(), letter.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            ("schema_violation", r##"/value: "3" is not of type "number" (rule #/properties/value/type)"##),
            ("schema_violation", r##"/value: "value" is a required property (rule #/required)"##),
        ]
    );
    assert!(letters.iter().all(|letter| letter.events.len() == 1));
    assert_eq!(bench.replayed().await, 2, "nothing has changed");

    // Workers hear of it within a second or two; whoever replays before that has the same letters again.
    bench.be_strict(&json!({"properties": {"value": {"type": ["number", "string"]}}})).await;
    wait::until("the events are good", async || bench.replayed().await == 0).await;
    assert_eq!(bench.stored().await, 5);

    bench.be_strict(&json!({"maxProperties": 0})).await;
    wait::until("the new schema holds", async || {
        bench.publish(&[order("ada", json!({"value": 1}))]).await;
        bench.until_the_log_is_empty().await;
        dead_letters(&bench).await.len() == 1
    })
    .await;
    worker.dismiss().await;
    bench.assert_the_books_balance().await;
}
