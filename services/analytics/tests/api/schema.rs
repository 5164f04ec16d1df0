use std::collections::BTreeMap;

use millrace_domain::json_type::JsonType;
use millrace_domain::text::EventType;
use millrace_storage::database::{Database, PoolSettings};
use millrace_storage::event_properties::{Property, Seen, note};
use millrace_storage::event_schemas;
use serde_json::json;

use crate::stage::Stage;

#[actix_web::test]
async fn properties_are_listed_with_their_types_and_a_warning_where_those_change() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let database = Database::new(&stage.database.url(), PoolSettings::named("test")).unwrap();
    let at = |day: u32| format!("2026-11-{day:02}T12:00:00Z").parse().unwrap();
    let seen = |event_type: &str, name: &str, json_type, day| {
        let (event_type, name) = (event_type.to_owned(), name.to_owned());
        (
            Property { project: project.id, event_type, name, json_type },
            Seen { first: at(day), last: at(day) },
        )
    };
    let mut conn = database.connection().await.unwrap();
    let first = [
        seen("order", "value", JsonType::Number, 3),
        seen("order", "paid", JsonType::Boolean, 3),
        seen("login", "method", JsonType::String, 5),
    ];
    note(&mut conn, &BTreeMap::from(first)).await.unwrap();
    let later = [seen("order", "value", JsonType::String, 9), seen("order", "paid", JsonType::Boolean, 9)];
    note(&mut conn, &BTreeMap::from(later)).await.unwrap();

    let order = EventType::parse("order").unwrap();
    event_schemas::set(&mut conn, project.id, &order, &json!({})).await.unwrap().unwrap();

    let first = stage.ask(&project, "/api/v1/schema?limit=2").await.body;
    assert_eq!(first["strict"], json!(["order"]));
    let paid = json!({
        "event_type": "order", "property": "paid", "warning": null,
        "types": [{"type": "boolean", "first_seen": "2026-11-03T12:00:00Z", "last_seen": "2026-11-09T12:00:00Z"}],
    });
    assert_eq!((&first["data"][0]["property"], &first["data"][1]), (&json!("method"), &paid));
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = stage.ask(&project, &format!("/api/v1/schema?limit=2&cursor={cursor}")).await.body;
    assert_eq!(rest["data"][0]["warning"], "values were number and, since 2026-11-09, string");
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &json!(null)));
    let of_one = stage.ask(&project, "/api/v1/schema?event_type=login").await.body;
    assert_eq!(of_one["data"].as_array().unwrap().len(), 1);
}
