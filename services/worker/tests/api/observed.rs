use millrace_domain::json_type::JsonType;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::event_properties;
use millrace_testkit::story::did;
use serde_json::json;

use crate::bench_of_work::{Bench, Hired};

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_notices_what_properties_events_have_and_when_their_type_changes() {
    let bench = Bench::new().await;
    let bought =
        |properties| did("ada", "order", "2026-11-01T12:00:00Z").with("properties", properties).event();
    let worker = Hired::with(bench.config()).await;
    bench.publish(&[bought(json!({"value": 7, "gift": null})), bought(json!({"value": 8.5}))]).await;
    bench.until_the_log_is_empty().await;
    bench.publish(&[bought(json!({"value": "9", "items": []}))]).await;
    bench.until_the_log_is_empty().await;
    // What was not written down yet is when it stops.
    worker.dismiss().await;

    let database = Database::new(&bench.database.url(), PoolSettings::named("test")).unwrap();
    let mut conn = database.connection().await.unwrap();
    let found = event_properties::page(&mut conn, bench.shop, Some("order"), None, 10).await.unwrap();
    let found: Vec<(&str, Vec<JsonType>)> = found
        .iter()
        .map(|property| {
            (property.name.as_str(), property.types.iter().map(|(json_type, _)| *json_type).collect())
        })
        .collect();
    let expected = [("items", vec![JsonType::Array]), ("value", vec![JsonType::Number, JsonType::String])];
    assert_eq!(found, expected);
    let behind =
        event_properties::page(&mut conn, bench.shop, None, Some(("order", "items")), 10).await.unwrap();
    assert_eq!(behind.len(), 1);
    // The other project is another world.
    let nowhere = millrace_domain::ids::ProjectId::new();
    assert_eq!(event_properties::page(&mut conn, nowhere, None, None, 10).await.unwrap(), []);
}
